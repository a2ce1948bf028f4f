"""FHIR's XML form: the same resources as the JSON values, read and written through one hardened parser."""
