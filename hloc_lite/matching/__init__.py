"""Two sets of local features -> matches."""
