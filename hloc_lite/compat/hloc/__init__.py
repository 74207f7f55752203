"""hloc's scripts by name: ``from hloc_lite.compat.hloc import extract_features, ...``.

A script for https://github.com/cvg/Hierarchical-Localization runs with that one import changed. Its
functions have hloc's arguments and write hloc's files; the work is done by this package. Networks
that it does not have are replaced by the nearest one, with a warning. The scripts also run by
themselves: ``python -m hloc_lite.compat.hloc.extract_features --help``.

Scripts of hloc:
extract_features.py       photos -> local features or global descriptors
pairs_from_exhaustive.py  all pairs of images
pairs_from_retrieval.py   pairs of similar images
pairs_from_covisibility.py  pairs that share points of a model
pairs_from_poses.py       pairs of near cameras with similar views
match_features.py         features -> matches
match_dense.py            image pairs -> keypoints and matches by LoFTR or another dense matcher
reconstruction.py         matches -> SfM model
triangulation.py          matches and known poses -> SfM model
localize_sfm.py           queries -> poses, by 2D-3D matches
localize_inloc.py         queries -> poses in cutouts of laser scans (InLoc)
visualization.py          pictures of models and localized queries

What they share:
networks.py               which network stands for which of hloc's
settings.py               hloc's numbers as settings of these networks
inputs.py                 image lists, models and feature files as hloc's functions take them
outputs.py                models and databases as hloc writes them
sfm_inputs.py             features and matches as mapping takes them
query_localizer.py        ``QueryLocalizer``
query_log.py              log of a localization
query_picture.py          picture of a query beside a map image
command_line.py           running of a script
"""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)
