"""Folder layouts of public benchmarks, one module each: read, and written from any data set."""
