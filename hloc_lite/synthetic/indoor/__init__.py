"""A rendered indoor twin: floors of offices, their panoramic scans, and phone photos."""
