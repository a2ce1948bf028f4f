"""Profiles: what a StructureDefinition demands of a resource beyond R4 itself.

https://hl7.org/fhir/R4/profiling.html
"""
