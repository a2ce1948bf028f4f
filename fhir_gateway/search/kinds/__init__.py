"""One module a kind of search parameter: how its values become keys, how its request text becomes a choice."""
