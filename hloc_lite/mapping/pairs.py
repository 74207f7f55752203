"""Which pairs of map images to match: a spec such as ``retrieval:20`` -> sorted pairs of names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from hloc_lite.config import PairsConfig
from hloc_lite.errors import ConfigError, MappingError, counted
from hloc_lite.formats.hloc_lists import read_pairs
from hloc_lite.types import NO_POINT, RetrievalHits, SfmModel

Pair = tuple[str, str]
KINDS = ("exhaustive", "retrieval", "covisible", "poses", "sequential")
_K = re.compile(r"0*[1-9][0-9]{0,8}", re.ASCII)  # isdigit() also takes "²"
RETRIEVAL_PAIRS = 20
"""Neighbours of ``auto`` in large maps, as the field's recipes have it."""


@dataclass(frozen=True)
class PairSpec:
    """A parsed spec: one of ``KINDS`` with its K, or a file."""

    kind: str
    k: int = 0
    file: Path | None = None


def parse_spec(config: PairsConfig, num_images: int, reference: SfmModel | None = None) -> PairSpec:
    """What ``config.spec`` asks for, ``auto`` resolved.

    Raises:
        ConfigError: neither a known kind with a positive K nor a file.
    """
    spec = config.spec
    if spec == "auto":
        if num_images <= config.exhaustive_max_images:
            return PairSpec("exhaustive")
        with_points = reference is not None and reference.num_points > 0
        return PairSpec("covisible" if with_points else "retrieval", RETRIEVAL_PAIRS)
    kind, _, number = spec.partition(":")
    if spec == "exhaustive":
        return PairSpec("exhaustive")
    if kind in KINDS[1:] and _K.fullmatch(number):
        return PairSpec(kind, int(number))
    if os.path.isfile(spec):  # unlike Path's, False for what cannot be a path
        return PairSpec("file", file=Path(spec))
    kinds = ", ".join(f"{kind}:K" for kind in KINDS[1:])
    raise ConfigError(
        f"--pairs {spec!r}: expected exhaustive, {kinds} with K > 0, or a file of name pairs"
    )


def check_spec(config: PairsConfig, names: Sequence[str], reference: SfmModel | None) -> None:
    """Refuse a spec that ``choose_pairs`` would refuse after hours of feature extraction.

    Raises:
        ConfigError: as ``parse_spec``.
        FormatError: a file of pairs with a bad line.
        MappingError: the spec needs a reference model that is not there.
    """
    spec = parse_spec(config, len(names), reference)
    if spec.file is not None:
        read_pairs(spec.file, names)
    elif spec.kind in ("covisible", "poses"):
        _posed(spec, reference)


def choose_pairs(
    spec: PairSpec,
    names: Sequence[str],
    config: PairsConfig,
    reference: SfmModel | None,
    retrieve: Callable[[int], Sequence[RetrievalHits]],
    listed: Sequence[str] = (),
) -> list[Pair]:
    """Pairs (smaller name first, sorted, each once) of the images that are to be matched.

    Args:
        spec: what was asked for.
        names: of the images with features.
        config: limits of poses:K.
        reference: known poses; needed by covisible:K and poses:K.
        retrieve: K -> for each name in order, its K most similar others.
        listed: more images that a file of pairs may name (without features: their pairs are left
            out).

    Raises:
        MappingError: the spec needs a reference model (with points) that is not there, or gives
            no pair at all.
    """
    if spec.kind == "exhaustive":
        pairs: Iterable[Pair] = combinations(names, 2)
    elif spec.kind == "sequential":
        ordered = sorted(names)
        pairs = [(a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 : i + 1 + spec.k]]
    elif spec.kind == "retrieval":
        hits = retrieve(spec.k)
        pairs = [
            (name, other) for name, hit in zip(names, hits, strict=True) for other in hit.names
        ]
    elif spec.kind == "file" and spec.file is not None:
        pairs = read_pairs(spec.file, [*names, *listed])
    elif spec.kind == "poses":
        posed = _only(_posed(spec, reference), names)
        pairs = pairs_from_poses(posed, spec.k, config.max_angle_deg)
    else:
        pairs = pairs_from_covisibility(_only(_posed(spec, reference), names), spec.k)
    known = set(names)
    kept = {(min(p), max(p)) for p in pairs if p[0] != p[1] and known.issuperset(p)}
    if not kept:
        raise MappingError(
            f"no pair of images to match ({counted(len(names), 'image')}, {spec.kind})"
        )
    return sorted(kept)


def _posed(spec: PairSpec, reference: SfmModel | None) -> SfmModel:
    if reference is None:
        raise MappingError(f"--pairs {spec.kind}:K needs known poses: give --reference MODEL")
    if spec.kind == "covisible" and reference.num_points == 0:
        raise MappingError("--pairs covisible:K needs a reference model with points; it has none")
    return reference


def _only(reference: SfmModel, names: Sequence[str]) -> SfmModel:
    """Without the images that are not there: they must not take the places of the K."""
    present = set(names)
    return replace(reference, images=tuple(i for i in reference.images if i.name in present))


def pairs_from_poses(model: SfmModel, k: int, max_angle_deg: float) -> list[Pair]:
    """Each image with its K nearest by camera centre among those that look the same way."""
    images = model.images
    centers = np.array([image.cam_from_world.center for image in images])
    directions = np.array([image.cam_from_world.rotation[2] for image in images])
    tree = cKDTree(centers)
    cos_limit = np.cos(np.radians(max_angle_deg))
    pairs = []
    for row, image in enumerate(images):
        # ask for more than K, as some look elsewhere; widen until K are found or all were seen
        asked = min(len(images), 4 * k + 1)
        while True:
            _, near = tree.query(centers[row], k=asked)
            near = np.atleast_1d(near)
            good = [n for n in near if n != row and directions[n] @ directions[row] >= cos_limit]
            if len(good) >= k or asked == len(images):
                break
            asked = min(len(images), 2 * asked)
        pairs += [(image.name, images[n].name) for n in good[:k]]
    return pairs


def pairs_from_covisibility(model: SfmModel, k: int) -> list[Pair]:
    """Each image with the K that share most points with it (ties by name)."""
    from scipy.sparse import coo_matrix

    seen = [np.unique(image.point3D_idxs[image.point3D_idxs != NO_POINT]) for image in model.images]
    rows = np.repeat(np.arange(len(seen)), [len(points) for points in seen])
    columns = np.concatenate(seen)
    shape = (len(seen), model.num_points)
    visibility = coo_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape).tocsc()
    pairs = []
    for row, image in enumerate(model.images):
        # only the columns of its own points: all of them would make the whole quadratic
        shared = np.bincount(visibility[:, seen[row]].indices, minlength=len(seen))
        shared[row] = 0
        best = np.argsort(-shared, kind="stable")[:k]
        pairs += [(image.name, model.images[n].name) for n in best if shared[n] > 0]
    return pairs
