"""Interactions with resources: read, find, write, transaction; each leaves its AuditEvent."""
