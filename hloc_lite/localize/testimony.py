"""What the layers' matches say, put together in numbers that count on from one layer to the next:
keypoints and points of the second have the numbers that follow those of the first, so that neither
is taken for one of the other's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.localize.attempts import groups_of
from hloc_lite.localize.cues import Evidence, QuickPose
from hloc_lite.localize.layers import Layer
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.types import Correspondences, Cue, Int64, Matches, PutativeMatches


@dataclass(frozen=True, eq=False)
class Testimony:
    """One layer's evidence, in numbers that count on over all layers."""

    evidence: Evidence
    groups: tuple[Int64, ...]
    """Retrieved images that may show one place, as indices among all that were retrieved."""


def testimonies(
    layers: Sequence[Layer], query: MatchedQuery, quick_pose: QuickPose
) -> list[Testimony]:
    """What each layer that has matches says of them; if none has, what the first says."""
    parts = query.layers
    hit_idxs = {name: index for index, name in enumerate(query.hits.names)}
    keypoints = np.concatenate([part.features.keypoints for part in parts])
    first_keypoints = starts_of([len(part.features) for part in parts])
    first_points = starts_of([layer.map.model.num_points for layer in layers])
    seen = layers[0].witnesses.look(query.photo)  # which is the same for all
    found = []
    for index in [i for i, part in enumerate(parts) if part.matched] or [0]:
        layer, part = layers[index], parts[index]
        evidence = layer.testify(part, quick_pose, seen)
        retrieved = np.array([hit_idxs[name] for name in part.hits.names], np.int64)
        sightings = PutativeMatches(
            evidence.sightings.keypoint_idxs + first_keypoints[index],
            evidence.sightings.point3D_idxs + first_points[index],
            retrieved[evidence.sightings.hit_idxs],
            evidence.sightings.scores,
        )
        groups = groups_of(part.matched, evidence.config.localize)
        shifted = replace(evidence, sightings=sightings, keypoints=keypoints)
        found.append(Testimony(shifted, tuple(retrieved[group] for group in groups)))
    return found


def pooled(evidences: Sequence[Evidence]) -> Evidence:
    """All layers' evidence as one; a layer without some cue says nothing by it."""
    first = evidences[0]
    if len(evidences) == 1:
        return first
    sightings = PutativeMatches(
        *(
            np.concatenate([getattr(each.sightings, column) for each in evidences])
            for column in ("keypoint_idxs", "point3D_idxs", "hit_idxs", "scores")
        )
    )
    said = [{cue.name: cue for cue in each.cues} for each in evidences]
    silent = [
        Cue("", np.ones(len(each.sightings)), np.zeros(len(each.sightings), bool))
        for each in evidences
    ]
    cues = []
    for name in dict.fromkeys(name for each in said for name in each):
        of_all = [each.get(name, none) for each, none in zip(said, silent, strict=True)]
        factors = np.concatenate([cue.factors for cue in of_all])
        cues.append(Cue(name, factors, np.concatenate([cue.touched for cue in of_all])))
    return replace(first, sightings=sightings, cues=tuple(cues))


def layer_counts(
    layers: Sequence[Layer],
    query: MatchedQuery,
    correspondences: Correspondences,
    inliers: Int64,
) -> dict[str, int]:
    """FEATURES_keypoints, _matches, _correspondences and _inliers of each of several layers.

    Args:
        inliers: rows of ``correspondences``.
    """
    if len(layers) == 1:
        return {}
    starts = starts_of([len(part.features) for part in query.layers])
    owners = np.searchsorted(starts, correspondences.keypoint_idxs, side="right") - 1
    # an empty layer shares its start with the next one, which is found then
    counts: dict[str, int] = {}
    for index, (layer, part) in enumerate(zip(layers, query.layers, strict=True)):
        counts |= {
            f"{layer.map.config.features.name}_{what}": int(number)
            for what, number in (
                ("keypoints", len(part.features)),
                ("matches", num_matches(part.matched)),
                ("correspondences", (owners == index).sum()),
                ("inliers", (owners[inliers] == index).sum()),
            )
        }
    return counts


def num_matches(matched: Mapping[str, tuple[Matches, Int64]]) -> int:
    """With all images together."""
    return sum(len(matches) for matches, _ in matched.values())


def starts_of(lengths: Sequence[int]) -> Int64:
    """(L,) where each part begins when all follow one another."""
    return np.cumsum([0, *lengths[:-1]], dtype=np.int64)
