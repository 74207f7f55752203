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
result.py           status, reason, counts
turned.py           photos on their side: which way is up, and a second try
quarter_turns.py    photos turned by quarter turns, and their keypoints

multi_map.py        several maps in one query: joint numbering
rig.py              several cameras at once
sequence.py         frames with odometry
batch.py            many queries, resumable
confidence.py       files of coefficients of the confidence model
compatibility.py    checks that config, networks and extra maps fit the map
setup.py            builds a pipeline from maps, config and networks
"""
