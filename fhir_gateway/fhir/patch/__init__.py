"""Changing a part of a resource: JSON Patch, FHIRPath Patch, XML Patch; each is a function from resource to resource."""
