"""Extractors of local features, one adapter per file."""
