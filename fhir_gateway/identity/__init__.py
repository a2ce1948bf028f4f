"""One person, many hospital numbers: links with their evidence, never a merge that loses a source."""
