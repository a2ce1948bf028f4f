"""Who is asking, what they may do, what is remembered of it, and what proves where a document comes from."""
