"""Submissions to localization benchmarks: forms, writer, reader and check before the upload."""
