"""Maps: the value that is localized in, and how it is stored.

map.py                   ``Map``: model, features, global descriptors, config
storage.py               reads and writes a map folder
folder.py                names of the files in it; which folders may be written to
config.py                which part of a map's config holds for queries
landmark_descriptors.py  descriptors of the map points, in memory or in the folder
mean_descriptors.py      computes them from the features of the map images
compact.py               opens a compact map: landmarks only, in memory-mapped arrays
compact_arrays.py        the arrays that a compact map consists of
compress.py              full map -> compact map, within a byte budget
landmark_selection.py    which landmarks to keep within the budget
quantization.py          descriptors as int8, product codes or bits
georeference.py          where on Earth a map lies
georeference_fit.py      fits that to positions of its images
summary.py               what a map folder holds, and the bytes of each part
"""
