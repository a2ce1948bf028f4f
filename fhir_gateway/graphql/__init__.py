"""GraphQL: the same records by another question language, under the same rights, audit and limits as REST."""
