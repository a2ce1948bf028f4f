"""HTTP: FHIR REST, tokens, health. Plain Starlette routes; every request passes one door."""
