"""One folder for each format a hospital sends; pure functions from bytes to FHIR, strangers to the gateway."""
