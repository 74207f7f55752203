"""Localization: from a photo to its pose. Read the files in this order; pipeline.py calls each.

localizer.py        ``Localizer``: the public class; holds a ``QueryPipeline``
pipeline.py         ``QueryPipeline``: the steps of a query from top to bottom
query.py            reads the photo; its local features, its matches with the images of a map
prior.py            pose priors: which map images to retrieve, which poses contradict them
cascade.py          coarse-to-fine matching, a generator of matching steps
map_matcher.py      matches a query with images or landmarks of one map
photo_matcher.py    matches a query with map photos, by a matcher that finds keypoints itself
correspondences.py  lifts matches to 3D points; covisibility clusters
view_overlap.py     which map images see the same place, where few share points
weighting.py        semantic, depth and other cues about matches -> weights
estimation.py       pose hypotheses by cluster; selection, and one pose on the union
view_check.py       the map's surface rendered at the best hypotheses, and compared
view_synthesis.py   comparison of a photo with such a view
dense_features.py   dense RootSIFT on a grid, for this comparison
surface_views.py    photos of the map against views of its surface
view_cues.py        weights of the places in a view: passers-by, normals, labels
verification.py     confidence in the selected pose
landmark_check.py   landmarks that should be in view under the pose, and are not
error_limits.py     errors that a correct pose may have, relative or in metres
pose_uncertainty.py  covariance of a pose with that of its intrinsics and of the map
intrinsics_check.py  given intrinsics against likely others
result.py           status, reason, counts
turned.py           photos on their side: which way is up, and a second try
quarter_turns.py    photos turned by quarter turns, and their keypoints

own_photos.py       map images that a query is a copy of
multi_map.py        several maps in one query: joint numbering
rig.py              several cameras at once
sequence.py         frames with odometry
acceptance.py       confidence from which poses are given, and promises about wrong answers
batch.py            many queries, resumable
rig_batch.py        many photos of rigs, resumable
progress_file.py    answers kept in a file as they come
left_out.py         the map without some of its images
self_test.py        test of a map on its own photos, from their stored features
calibration.py      what the test says about how sure the map may be
stored_calibration.py  a map in its folder, tested and calibrated there
map_confidence.py   the confidence model with what the map has learned
confidence.py       files of coefficients of the confidence model
known_answers.py    answers whose correctness is known, shipped with the package
compatibility.py    checks that config, networks and extra maps fit the map
setup.py            builds a pipeline from maps, config and networks
"""
