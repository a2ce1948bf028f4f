"""Search: what R4 defines, how a resource is indexed for it, what a request asks. Knows no database."""
