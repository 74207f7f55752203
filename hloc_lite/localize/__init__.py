"""Localization: from a photo to its pose. Read the files in this order; pipeline.py calls each.

localizer.py        ``Localizer``: the public class; reads photos, holds a ``QueryPipeline``
pipeline.py         ``QueryPipeline``: the steps of a query from top to bottom
query.py            local features of the photo; matches with the images of a map
prior.py            pose priors: which map images to retrieve, which poses contradict them
cascade.py          coarse-to-fine matching, a generator of matching steps
map_matcher.py      matches a query with images or landmarks of one map
correspondences.py  lifts matches to 3D points; covisibility clusters
weighting.py        semantic, depth and other cues about matches -> weights
estimation.py       pose hypotheses by cluster; selection, and one pose on the union
verification.py     confidence in the selected pose
error_limits.py     errors that a correct pose may have, relative or in metres
pose_uncertainty.py  covariance of a pose with that of its intrinsics and of the map
intrinsics_check.py  given intrinsics against likely others
result.py           status, reason, counts

multi_map.py        several maps in one query: joint numbering
rig.py              several cameras at once
sequence.py         frames with odometry
batch.py            many queries, resumable
confidence.py       files of coefficients of the confidence model
compatibility.py    checks that config, networks and extra maps fit the map
setup.py            builds a pipeline from maps, config and networks
"""
