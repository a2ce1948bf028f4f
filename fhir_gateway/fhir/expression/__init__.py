"""FHIRPath: read into a tree, and evaluated on FHIR values with their types, by no more steps than it is given.

https://hl7.org/fhirpath/N1/, https://hl7.org/fhir/R4/fhirpath.html
"""
