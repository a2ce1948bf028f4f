"""FHIR R4 as values, pure: no clock, no database, no network."""
