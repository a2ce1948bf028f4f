"""Terminology: what codes mean, which sets they are in, how they are said elsewhere, from what is stored."""
