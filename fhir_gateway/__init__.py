"""The FHIR gateway (map below is completed as rooms are built)."""
