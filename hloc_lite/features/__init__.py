"""Extractors of local features, one adapter per file; and where photos have burned-in marks."""
