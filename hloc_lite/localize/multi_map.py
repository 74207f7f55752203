"""Several maps of the same images in one query: joint numbering of their keypoints and points.

Keypoints and points of the second map are numbered after those of the first, and so on, so that
none is taken for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.localize.weighting import MatchCues
from hloc_lite.maps.map import Map
from hloc_lite.protocols import Lifter
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Cue, Float64, Int64, PutativeMatches, UInt8


@dataclass(frozen=True, eq=False)
class CueSet:
    """Cues about the matches with each map that has any."""

    by_map: tuple[tuple[int, MatchCues, tuple[Int64, ...]], ...]
    """Index of the map, its cues, and (C,) retrieved images of each covisibility cluster."""

    joined: MatchCues
    """Cues about the matches with all maps."""
    num_clusters: int
    """Number of clusters of all maps."""


class JointLifter:
    """``Lifter`` of several maps, in the joint numbering of their points.

    Args:
        lifters: lifter of each map.
    """

    def __init__(self, lifters: Sequence[Lifter]) -> None:
        self._lifters = tuple(lifters)
        self._image_names = [lifter.image_names for lifter in lifters]
        self._starts = first_rows([lifter.num_points for lifter in lifters])

    @property
    def num_points(self) -> int:
        """Number of points of all maps."""
        return sum(lifter.num_points for lifter in self._lifters)

    @property
    def image_names(self) -> frozenset[str]:
        """Images with a point in any map."""
        return frozenset[str]().union(*self._image_names)

    def points_of(self, image_name: str) -> Int64:
        """(N,) points of the image's keypoints in all maps, one map after the other."""
        parts = []
        each_map = zip(self._lifters, self._image_names, self._starts, strict=True)
        for lifter, names, start in each_map:
            if image_name in names:
                points = lifter.points_of(image_name)
                parts.append(np.where(points == NO_POINT, NO_POINT, points + start))
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def xyz_of(self, point3D_idxs: Int64) -> Float64:
        """(K, 3) world coordinates of points, map units."""
        return self._gather([each.xyz_of for each in self._lifters], point3D_idxs, (3,))

    def track_lengths_of(self, point3D_idxs: Int64) -> Int64:
        """(K,) number of images that observe each point."""
        lengths = self._gather([e.track_lengths_of for e in self._lifters], point3D_idxs, ())
        return lengths.astype(np.int64)

    def errors_px_of(self, point3D_idxs: Int64) -> Float64:
        """(K,) mean reprojection error of each point, pixels; NaN or negative where unknown."""
        return self._gather([each.errors_px_of for each in self._lifters], point3D_idxs, ())

    def _gather(
        self,
        values_of: Sequence[Callable[[Int64], np.ndarray]],
        point3D_idxs: Int64,
        shape: tuple[int, ...],
    ) -> Float64:
        owners = np.searchsorted(self._starts, point3D_idxs, side="right") - 1
        values = np.empty((len(point3D_idxs), *shape))
        for index, (start, of_map) in enumerate(zip(self._starts, values_of, strict=True)):
            own = owners == index
            values[own] = of_map(point3D_idxs[own] - start)
        return values


def joint_model(maps: Sequence[Map]) -> SfmModel:
    """Join the models of several maps; ``point3D_idxs`` of a result are rows of its points.

    Images and cameras are those of the first map. Keypoints and points of each map follow those of
    the maps before it.
    """
    first = maps[0].model
    if len(maps) == 1:
        return first
    starts = first_rows([each.model.num_points for each in maps])
    first_ids = first_rows([1 + int(m.model.point3D_ids.max(initial=0)) for m in maps])
    return SfmModel(
        first.cameras,
        tuple(_joint_image(image, maps, starts) for image in first.images),
        np.concatenate([m.model.point3D_ids + i for m, i in zip(maps, first_ids, strict=True)]),
        np.concatenate([each.model.xyz for each in maps]),
        np.concatenate([each.model.rgb for each in maps]),
        np.concatenate([each.model.errors_px for each in maps]),
    )


def concatenate_point_values(parts: Sequence[UInt8 | None]) -> UInt8 | None:
    """Join (M,) values of each map's points; None if a map has none."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _joint_image(image: SfmImage, maps: Sequence[Map], starts: Int64) -> SfmImage:
    images, point3D_idxs = [], []
    for each, start in zip(maps, starts, strict=True):
        own = each.model.image_named(image.name)
        if own is not None:
            images.append((each.model, own))
            points = own.point3D_idxs
            point3D_idxs.append(np.where(points == NO_POINT, NO_POINT, points + start))
    keypoints = None
    if any(own.keypoints is not None for _, own in images):
        keypoints = np.concatenate([keypoints_of(model, own) for model, own in images])
    return replace(image, keypoints=keypoints, point3D_idxs=np.concatenate(point3D_idxs))


def renumber(cues: MatchCues, first_keypoint: int, first_point: int, hit_idxs: Int64) -> MatchCues:
    """Number keypoints and points of one map after those of the maps before it.

    Args:
        first_keypoint: offset of its keypoints.
        first_point: offset of its points.
        hit_idxs: (k,) index of each of its retrieved images among all retrieved ones.
    """
    matches = PutativeMatches(
        cues.matches.keypoint_idxs + first_keypoint,
        cues.matches.point3D_idxs + first_point,
        hit_idxs[cues.matches.hit_idxs],
        cues.matches.scores,
        cues.matches.xyz,
    )
    return replace(cues, matches=matches)


def concatenate(parts: Sequence[MatchCues]) -> MatchCues:
    """Join the renumbered cues of several maps; a cue that a map lacks is neutral there."""
    columns = ("keypoint_idxs", "point3D_idxs", "hit_idxs", "scores", "xyz")
    matches = PutativeMatches(
        *(np.concatenate([getattr(part.matches, column) for part in parts]) for column in columns)
    )
    by_name = [{cue.name: cue for cue in part.cues} for part in parts]
    neutral = [
        Cue("", np.ones(len(part.matches)), np.zeros(len(part.matches), bool)) for part in parts
    ]
    cues = []
    for name in dict.fromkeys(name for each in by_name for name in each):
        found = [each.get(name, none) for each, none in zip(by_name, neutral, strict=True)]
        factors = np.concatenate([cue.factors for cue in found])
        touched = np.concatenate([cue.touched for cue in found])
        exponent = next(each[name].exponent for each in by_name if name in each)
        cues.append(Cue(name, factors, touched, exponent))
    known = [part.bound_factors for part in parts if part.bound_factors is not None]
    joined = np.concatenate(known) if len(known) == len(parts) else None
    if all(part.noise_axes is None for part in parts):
        return MatchCues(matches, tuple(cues), joined)
    axes = [
        np.zeros((len(part.matches), 3)) if part.noise_axes is None else part.noise_axes
        for part in parts
    ]
    return MatchCues(matches, tuple(cues), joined, np.concatenate(axes))


def first_rows(lengths: Sequence[int]) -> Int64:
    """(L,) row at which each part begins when all follow one another."""
    return np.cumsum([0, *lengths[:-1]], dtype=np.int64)
