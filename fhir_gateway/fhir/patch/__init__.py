"""Changing a part of a resource: JSON Patch, FHIRPath Patch and XML Patch, each a function from resource to resource."""
