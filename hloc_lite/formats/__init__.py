"""Other people's file formats, one module each; no other package knows their bytes."""
