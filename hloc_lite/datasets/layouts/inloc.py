"""InLoc: cutouts of laser scans with a 3D point per pixel, and phone photos; no SfM model.

All floors are one data set, since a query may be of any of them. Each floor has a frame of its own:
that of its scans after the second (GICP) alignment. In the data set floors stand far apart
(``inloc_floors``), and ``Dataset.frames`` leads back. The reference has the poses of cutouts, which
follow from the alignment of the scan and from the angles in their names, and no points: the 3D
points of a cutout stand in ``NAME.jpg.mat``, which ``Dataset.depth`` reads (``inloc_depth``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset, MapFrame
from hloc_lite.datasets.layouts.inloc_depth import CutoutDepth
from hloc_lite.datasets.layouts.inloc_files import (
    CutoutName,
    parse_cutout,
    read_alignment,
    read_cutout_points,
    read_name_list,
)
from hloc_lite.datasets.layouts.inloc_floors import spread_floors
from hloc_lite.datasets.layouts.inloc_poses import CutoutPoints, find_convention
from hloc_lite.datasets.layouts.inloc_writing import write
from hloc_lite.datasets.layouts.map_reading import find_path, image_files
from hloc_lite.datasets.layouts.scene_parts import check_files
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.image_lookup import upright_size
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.io.dataset_layout import ALL
from hloc_lite.io.image_names import natural_key
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3

__all__ = ["read", "write"]
CUTOUTS, QUERIES = "database/cutouts", "query/iphone7"
FOCAL_SHARE = 28 / 36
"""Focal length over the longer side: 28 mm at full frame, 3136 px for photos of 4032."""
CUTOUT_LISTS = ("inputs/cutout_imgnames_all.mat", "cutout_imgnames_all.mat")
QUERY_LISTS = ("inputs/query_imgnames_all.mat", "query_imgnames_all.mat")
_NUM_PROBES = 3


@dataclass(frozen=True, eq=False)
class _PosedCutouts:
    """Poses of cutouts in the world, with what follows from them."""

    reference: SfmModel | None
    frames: tuple[MapFrame, ...] = ()
    depth: CutoutDepth | None = None
    notes: tuple[str, ...] = ()


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the data set; lists ``*_imgnames_all.mat`` are used if they are there.

    The photos of queries are opened for their sizes, and up to three files of 3D points to check
    the directions of cutouts.

    Raises:
        FormatError: a folder is missing, or a file is damaged or named but absent.
    """
    find_path(root, [CUTOUTS], "cutouts", card)
    find_path(root, [QUERIES], "queries", card)
    cutouts = _listed(root, CUTOUT_LISTS, "cutout_imgnames_all", CUTOUTS)
    if cutouts is None:
        cutouts = sorted(filter(parse_cutout, image_files(root, CUTOUTS)), key=natural_key)
    queries = _listed(root, QUERY_LISTS, "query_imgnames_all", QUERIES)
    if queries is None:
        queries = sorted(image_files(root, QUERIES), key=natural_key)
    if not cutouts or not queries:
        empty = CUTOUTS if not cutouts else QUERIES
        raise FormatError(f"{root / empty} has no photos: unpack the archive of {empty} there")
    check_files(cutouts, root, "cutouts")
    check_files(queries, root, "queries")
    posed = _pose_cutouts(root, cutouts)
    dataset = Dataset(
        name=card.name,
        image_folder=root,
        map_image_names=tuple(cutouts),
        reference=posed.reference,
        queries={ALL: {name: query_camera(*upright_size(root / name)) for name in queries}},
        ground_truth={},
        thresholds=card.thresholds,
        source=card.source,
        licence=card.licence,
        citation=card.citation,
        depth=posed.depth,
        frames=posed.frames,
        is_metric=True,
        notes=(
            *posed.notes,
            "each floor has a frame of its own: poses of different floors cannot be compared",
        ),
    )
    return (dataset,)


def query_camera(width: int, height: int) -> Camera:
    """Intrinsics of a query: known focal length, principal point at the image centre."""
    focal = FOCAL_SHARE * max(width, height)
    return Camera("SIMPLE_PINHOLE", width, height, np.array([focal, width / 2, height / 2]))


def _listed(root: Path, paths: Sequence[str], variable: str, folder: str) -> list[str] | None:
    """Names of a list relative to the root; None if there is no list."""
    path = next((root / each for each in paths if (root / each).is_file()), None)
    if path is None:
        return None
    names = read_name_list(path, variable)
    return [name if name.startswith(f"{folder}/") else f"{folder}/{name}" for name in names]


def _pose_cutouts(root: Path, names: Sequence[str]) -> _PosedCutouts:
    """Pose the cutouts whose scans are aligned."""
    if not (root / "database/alignments").is_dir():
        note = "there are no alignments of scans: the poses of cutouts are not known"
        return _PosedCutouts(None, notes=(note,))
    parsed = {name: found for name in names if (found := parse_cutout(name)) is not None}
    aligned = _alignments(root, parsed)
    posed = {name: each for name, each in parsed.items() if each.alignment in aligned}
    probes = _probes(root, [*posed], parsed)
    if not probes:
        note = "no cutout has both an alignment and 3D points: the poses of cutouts are not known"
        return _PosedCutouts(None, notes=(note,))
    try:
        convention = find_convention(list(probes.values()))
    except FormatError as error:
        raise FormatError(f"{root / CUTOUTS}: {', '.join(probes)}: {error}") from None
    height, width = next(iter(probes.values())).xyz.shape[:2]
    params = np.array([convention.focal_share * width, width / 2, height / 2])
    camera = Camera("SIMPLE_PINHOLE", width, height, params)
    rotations = {
        name: convention.cam_from_scan(each.theta_deg, each.phi_deg) for name, each in posed.items()
    }
    cams_from_floor = {
        name: Rigid3(rotations[name], np.zeros(3)).compose(aligned[each.alignment].inverse())
        for name, each in posed.items()
    }
    poses, frames = spread_floors(
        cams_from_floor, {name: each.floor for name, each in posed.items()}
    )
    notes = []
    if len(poses) < len(names):
        notes.append(
            f"{counted(len(names) - len(poses), 'cutout')} without a pose: their scans have no "
            f"alignment"
        )
    return _PosedCutouts(
        posed_model(dict.fromkeys(poses, camera), poses),
        frames,
        CutoutDepth(root, rotations, convention.focal_share),
        tuple(notes),
    )


def _alignments(root: Path, parsed: dict[str, CutoutName]) -> dict[str, Rigid3]:
    """floor_from_scan by path of the alignment, of those that exist."""
    paths = sorted({each.alignment for each in parsed.values()})
    return {path: read_alignment(root / path) for path in paths if (root / path).is_file()}


def _probes(
    root: Path, names: Sequence[str], parsed: dict[str, CutoutName]
) -> dict[str, CutoutPoints]:
    """Points of a few cutouts whose angles tell all conventions apart, if there are such."""

    def generality(name: str) -> int:
        return (parsed[name].theta_deg % 90 != 0) + (parsed[name].phi_deg != 0)

    found: dict[str, CutoutPoints] = {}
    for name in sorted(names, key=generality, reverse=True):  # stable: the first of equals
        path = root / f"{name}.mat"
        if path.is_file():
            xyz = read_cutout_points(path)
            if np.isfinite(xyz).any():
                found[name] = CutoutPoints(parsed[name].theta_deg, parsed[name].phi_deg, xyz)
        if len(found) == _NUM_PROBES:
            break
    return found
