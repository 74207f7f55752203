"""Matchers of local features and of photos; geometric verification of matches."""
