"""hloc's files: features and matches in HDF5, retrieval lists, and localization logs.

Layouts as written by https://github.com/cvg/Hierarchical-Localization. Pixels there have their
zero at the centre of the first pixel; ``names.PIXEL_OFFSET`` is added and removed here.
"""
