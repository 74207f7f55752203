"""Mapping: from photos to a ``Map``. Read the files in this order; build.py calls each in turn.

build.py               ``build_map``: the whole pipeline
run.py                 inputs and settings of one run; fingerprints of what each step stores
reference.py           known poses (a reference model) for the images that are there
feature_extraction.py  local features of all images
cameras.py             intrinsics: given, from EXIF, or guessed; which images share a camera
retrieval.py           global descriptors of all images
pairs.py               which pairs of images to match
two_pass_matching.py   nearest neighbours for all pairs, then the learned matcher where needed
pair_matching.py       matches of pairs, stored as they come
photo_matching.py      the same for matchers that take photos: pairs come before features
reconstruction.py      verified matches -> SfM model, by mapper or by triangulation
labels.py              semantic labels of the points
report.py              outcome for each image, and why it was left out
"""
