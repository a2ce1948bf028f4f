"""Changing a part of a resource by JSON Patch, FHIRPath Patch or XML Patch: each is a function of the resource."""
