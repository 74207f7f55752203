"""Which pairs of map images to match: all, similar, covisible, nearby or consecutive ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree

from hloc_lite.config import PairsConfig
from hloc_lite.config.pair_spec import PairSpec, check_reference, parse_pair_spec
from hloc_lite.errors import MappingError, counted
from hloc_lite.formats.hloc_lists import read_pairs
from hloc_lite.io.image_names import natural_key
from hloc_lite.mapping.cameras import Cameras
from hloc_lite.mapping.run import Run
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.scene import SfmModel, visible_points
from hloc_lite.types import Float32, Float64, RetrievalHits

logger = logging.getLogger(__name__)
Pair = tuple[str, str]
SAME_CENTER = 1e-7
"""Distance of equal camera centres, over the extent of the map: a tenth of a millimetre in 1 km."""


@dataclass(frozen=True, eq=False)
class PairedImages:
    """Images with features, and the pairs of them to match and verify."""

    names: list[str]
    keypoints: Mapping[str, Float64]
    """(N, 2) pixels of each image."""
    cameras: Cameras
    descriptors: Float32
    """(M, D) global descriptors in the order of the names."""
    pairs: Sequence[Pair]


def choose_image_pairs(run: Run, names: Sequence[str], descriptors: Float32) -> list[Pair]:
    """Choose the pairs that the config asks for.

    Args:
        names: images to pair.
        descriptors: (M, D) their global descriptors.

    Raises:
        MappingError: as for ``choose_pairs``.
    """

    def retrieve(k: int) -> Sequence[RetrievalHits]:
        return RetrievalIndex(names, descriptors).search(descriptors, k, exclude=names)

    reference = run.inputs.reference
    num_points = None if reference is None else reference.num_points
    spec = parse_pair_spec(run.config.pairs, len(names), num_points)
    if spec.kind == "none":
        if run.inputs.depth is None:
            raise MappingError(
                "--pairs none is for maps from depth: give --depth, or another kind of pairs"
            )
        return []
    if run.inputs.depth is not None and len(names) == 1:
        return []
    pairs = choose_pairs(
        spec, names, run.config.pairs, reference, retrieve, listed=run.source.names
    )
    if run.inputs.depth is not None and reference is not None:
        pairs = with_baseline(pairs, reference)  # depth needs no pair to make a map
    logger.info("%d pairs of %d images (%s)", len(pairs), len(names), spec.kind)
    return pairs


def choose_pairs(
    spec: PairSpec,
    names: Sequence[str],
    config: PairsConfig,
    reference: SfmModel | None,
    retrieve: Callable[[int], Sequence[RetrievalHits]],
    listed: Sequence[str] = (),
) -> list[Pair]:
    """Choose the pairs of images to match; smaller name first, sorted, each once.

    Args:
        names: images with features.
        config: limits of poses:K.
        reference: known poses; covisible:K and poses:K need them.
        retrieve: returns for each name, in order, its K most similar other images.
        listed: further images that a file of pairs may name. They have no features, so their
            pairs are left out.

    Raises:
        MappingError: the reference model lacks what the spec needs, or there is no pair.
    """
    check_reference(spec, None if reference is None else reference.num_points)
    if spec.kind == "exhaustive":
        pairs: Iterable[Pair] = combinations(names, 2)
    elif spec.kind == "sequential":
        ordered = sorted(names, key=natural_key)
        pairs = [(a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 : i + 1 + spec.k]]
    elif spec.kind == "retrieval":
        hits = retrieve(spec.k)
        pairs = [
            (name, other) for name, hit in zip(names, hits, strict=True) for other in hit.names
        ]
    elif spec.kind == "file" and spec.file is not None:
        pairs = read_pairs(spec.file, [*names, *listed])
    else:
        assert reference is not None  # check_reference
        posed = reference.with_images(set(names))  # missing images must not count among the K
        if spec.kind == "poses":
            pairs = pairs_from_poses(posed, spec.k, config.max_angle_deg)
        else:
            pairs = pairs_from_covisibility(posed, spec.k)
    known = set(names)
    kept = {(min(p), max(p)) for p in pairs if p[0] != p[1] and known.issuperset(p)}
    if not kept:
        raise MappingError(
            f"no pair of images to match ({counted(len(names), 'image')}, {spec.kind})"
        )
    return sorted(kept)


def with_baseline(pairs: Sequence[Pair], model: SfmModel) -> list[Pair]:
    """Leave out pairs of images that share a centre, such as cutouts of one scan.

    They triangulate nothing, and their relative pose is known already.
    """
    centers = {image.name: image.cam_from_world.center for image in model.images}
    tolerance = SAME_CENTER * float(np.ptp(np.array([*centers.values()]), axis=0).max(initial=0))
    kept = []
    for a, b in pairs:
        known = a in centers and b in centers
        if not known or np.linalg.norm(centers[a] - centers[b]) > tolerance:
            kept.append((a, b))
    return kept


def pairs_from_poses(model: SfmModel, k: int, max_angle_deg: float) -> list[Pair]:
    """Pair each image with its K nearest by camera centre among those with a similar view."""
    images = model.images
    centers = np.array([image.cam_from_world.center for image in images])
    directions = np.array([image.cam_from_world.rotation[2] for image in images])
    tree = cKDTree(centers)
    cos_limit = np.cos(np.radians(max_angle_deg))
    pairs = []
    for row, image in enumerate(images):
        # some face another direction: widen the search until K are found or all were tried
        num_nearest = min(len(images), 4 * k + 1)
        while True:
            _, near = tree.query(centers[row], k=num_nearest)
            near = np.atleast_1d(near)
            good = [n for n in near if n != row and directions[n] @ directions[row] >= cos_limit]
            if len(good) >= k or num_nearest == len(images):
                break
            num_nearest = min(len(images), 2 * num_nearest)
        pairs += [(image.name, images[n].name) for n in good[:k]]
    return pairs


def pairs_from_covisibility(model: SfmModel, k: int) -> list[Pair]:
    """Pair each image with the K that share most points with it (ties by name)."""
    from scipy.sparse import coo_matrix

    observed = [visible_points(image) for image in model.images]
    rows = np.repeat(np.arange(len(observed)), [len(points) for points in observed])
    columns = np.concatenate(observed)
    shape = (len(observed), model.num_points)
    visibility = coo_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape).tocsc()
    pairs = []
    for row, image in enumerate(model.images):
        # only the columns of its own points: with all of them the time would be quadratic
        shared = np.bincount(visibility[:, observed[row]].indices, minlength=len(observed))
        shared[row] = 0
        best = np.argsort(-shared, kind="stable")[:k]
        pairs += [(image.name, model.images[n].name) for n in best if shared[n] > 0]
    return pairs
