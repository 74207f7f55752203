"""Mapping: from photos to a ``Map``. ``build.py`` calls the other files in this order.

build.py               ``build_map``: the whole pipeline
run.py                 inputs and settings of a run; fingerprints of what its steps store
differences.py         settings in which a map or intermediate results differ from a run
usable_images.py       which photos can be used, and why the others cannot
copies.py              the same photo twice, and folders of smaller versions
feature_extraction.py  local features of all images
unmarked_features.py   these without those in burned-in marks (features/burned_in.py)
cameras.py             intrinsics: known, from EXIF, or guessed; which images share a camera
retrieval.py           global descriptors of all images
pairs.py               which pairs of images to match
photo_matching.py      only for matchers that take photos: pairs first, then their keypoints
two_pass_matching.py   nearest neighbours for all pairs, then the learned matcher where needed
pair_matching.py       matches of pairs, stored as they come
reconstruction.py      verified matches -> SfM models, by a mapper or by triangulation
lifted_model.py        with measured depth: lifted points besides the triangulated ones
measured_depth.py      depth of one image: its keypoints lifted, compared with triangulated points
depth_lifting.py       depth of keypoints and its uncertainty; none across an edge
depth_registration.py  how depth images would have to be moved to agree best
depth_check.py         units, frames and registration of depth, against triangulated points
depth_correction.py    systematic errors of the sensor, learned from them
landmark_fusion.py     lifted keypoints that match and agree become one landmark
landmark_refinement.py  each landmark fitted to its rays and depths
depth_hashes.py        fingerprints of measured depth
scratch.py             from scratch: several candidates, and the choice among them
repair.py              images at a wrong place are registered again; loose groups become models
pair_agreement.py      which images these are: their verified matches contradict their pose
model_choice.py        which of several separate models is the best
other_features.py      second run with other features, where those asked for fail
assembly.py            the map of each model: features, descriptors, labels, report
labels.py              semantic labels of the points, where a segmenter is configured
assessment.py          which cameras of a map from scratch are doubtful, and why
assessment_text.py     that assessment in words
camera_uncertainty.py  uncertainty of all cameras by the covariance of bundle adjustment
reprojection_derivatives.py  derivatives that this needs
weak_links.py          groups of cameras that few or contradicted points join to the others
unmatched_overlap.py   images that should match by the model but do not: merged look-alikes
pure_rotation.py       pairs of images without parallax
gps_check.py           EXIF's GPS positions against the cameras
report.py              outcome of each image, and why it was left out

The surface of a map is made after it:
surface.py             from depth images, scans, a mesh or the map's points
surface_sources.py     measured points of these, as they come
surface_fusion.py      averages them in voxels, tile by tile

From features and matches that other programs computed:
from_hloc.py           ``build_map_from_hloc``: the files of an hloc run
hloc_files.py          finds these files by what they hold
hloc_features.py       features of hloc's file
hloc_descriptors.py    global descriptors of hloc's file
from_colmap.py         ``build_map_from_colmap``: a COLMAP database, with poses or without
colmap_features.py     features and verified matches of a database
from_kapture.py        ``build_map_from_kapture``: a kapture, with poses or without
kapture_features.py    features, matches and global features of a kapture
given_map.py           the map of any of these
given_features.py      how their features are read, and which of this package's they are
features_check.py      comparison with those that this package extracts, on a photo
given_descriptors.py   global descriptors: theirs, or computed from the photos
given_matches.py       verification of matches that other programs found

map.py                 former module of ``Map``, which is in ``maps``
"""
