"""hloc's ``localize_inloc``: queries -> poses, by their matches with cutouts of laser scans."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.localize_sfm import OpenFiles, localize_query, with_result_names
from hloc_lite.compat.hloc.query_localizer import QueryLocalizer
from hloc_lite.compat.hloc.query_log import pose_of, write_log
from hloc_lite.concurrency import sleeping_openmp_threads
from hloc_lite.config import LiftingConfig
from hloc_lite.datasets.benchmarks import read_benchmark
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.formats.hloc.retrieval import read_retrieval
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.geometry.cameras import cam_from_img
from hloc_lite.mapping.depth_lifting import lift_keypoints
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Bool

logger = logging.getLogger(__name__)
MAX_ERROR_PX = 48.0
"""Inlier bound of hloc's script."""


@sleeping_openmp_threads()
def main(
    dataset_dir: Path | str,
    retrieval: Path | str,
    features: Path | str,
    matches: Path | str,
    results: Path | str,
    skip_matches: int | None = None,
) -> None:
    """Localize InLoc's queries and write their poses in the frames of their floors.

    Unlike in hloc, keypoints at depth edges and beside unknown pixels have no point, and cutouts of
    several floors never share a pose. A query without a pose is left out, as in hloc.

    Args:
        dataset_dir: folder of InLoc.
        retrieval: cutouts of each query, best first.
        features: file with the features of queries and cutouts.
        matches: file with their matches.
        results: file of poses to write.
        skip_matches: cutouts with fewer matches are skipped.

    Raises:
        FormatError: a file that cannot be read, or lacks an image or a pair; or a folder without
            alignments or 3D points.
    """
    (dataset,) = read_benchmark("inloc", Path(dataset_dir))
    names = {*dataset.query_names, *dataset.map_image_names}
    entries: dict[str, Any] = {}
    with (
        closing(FeaturesFile(Path(features))) as features_file,
        closing(MatchesFile(Path(matches), names)) as matches_file,
    ):
        retrieved = read_retrieval(Path(retrieval), names)
        used = {cutout for query in dataset.query_names for cutout in retrieved.get(query, [])}
        model = lifted_cutouts(dataset, used, features_file)
        localizer = QueryLocalizer(model, {"estimation": {"ransac": {"max_error": MAX_ERROR_PX}}})
        files = OpenFiles(features_file, matches_file)
        for query, camera in tqdm(dataset.query_cameras.items(), "queries", disable=None):
            images = [
                image
                for cutout in retrieved.get(query, [])
                if (image := model.image_named(cutout)) is not None
                and _num_matches(files, query, image) >= (skip_matches or 0)
            ]
            if images:
                entries[query] = localize_query(
                    localizer, query, camera, images, files, with_clusters=False
                )
    poses = {name: pose for name, entry in entries.items() if (pose := pose_of(entry)) is not None}
    logger.info("%d of %d queries have a pose", len(poses), len(dataset.query_names))
    asked = {name: dataset.asked_pose(pose) for name, pose in poses.items()}
    write_poses(Path(results), with_result_names(asked, with_folder=False))
    write_log(Path(f"{results}_logs.pkl"), str(features), str(matches), str(retrieval), entries)


def lifted_cutouts(dataset: Dataset, names: Collection[str], features: FeaturesFile) -> SfmModel:
    """Model of some cutouts in which each keypoint with a depth has a point of its own.

    Raises:
        FormatError: no poses or depths, or features that lack a cutout.
    """
    reference, depth = dataset.reference, dataset.depth
    if reference is None or depth is None:
        raise FormatError(
            f"{dataset.image_folder}: {'; '.join(dataset.notes)}. Poses need both alignments and "
            f"3D points of cutouts"
        )
    images: list[SfmImage] = []
    parts, num_points = [np.zeros((0, 3))], 0
    for image in reference.with_images(frozenset(names)).images:
        if image.name not in features:
            raise FormatError(f"{features.path} has no features of {image.name!r}")
        camera = reference.cameras[image.camera_id]
        keypoints = features.keypoints(image.name).astype(np.float64)
        depth_map = depth.depth_of(image.name)
        z = np.full(len(keypoints), np.nan)
        if depth_map is not None:
            z = lift_keypoints(depth_map, keypoints, camera, LiftingConfig()).z
        known: Bool = np.isfinite(z)
        rays = np.column_stack([cam_from_img(camera, keypoints), np.ones(len(keypoints))])
        parts.append(image.cam_from_world.inverse().apply(rays[known] * z[known, None]))
        points = np.full(len(keypoints), NO_POINT)
        points[known] = num_points + np.arange(len(parts[-1]))
        num_points += len(parts[-1])
        images.append(
            SfmImage(
                image.image_id, image.name, image.camera_id, image.cam_from_world, keypoints, points
            )
        )
    xyz = np.concatenate(parts)
    ids, rgb = np.arange(1, num_points + 1), np.zeros((num_points, 3), np.uint8)
    return SfmModel(reference.cameras, tuple(images), ids, xyz, rgb, np.full(num_points, -1.0))


def _num_matches(files: OpenFiles, query: str, image: SfmImage) -> int:
    if query not in files.features:
        raise FormatError(f"{files.features.path} has no features of {query!r}")
    counts = len(files.features.keypoints(query)), len(image.point3D_idxs)
    pair = files.matches.read(query, image.name, counts)
    return 0 if pair is None else len(pair.indices)


def _command_line(
    dataset_dir: Path,
    retrieval: Path,
    features: Path,
    matches: Path,
    results: Path,
    skip_matches: float | None = None,
) -> None:
    """Localize InLoc's queries and write their poses, and a log beside them."""
    main(
        dataset_dir, retrieval, features, matches, results,
        None if skip_matches is None else int(skip_matches),
    )  # fmt: skip


if __name__ == "__main__":
    run(_command_line, "dataset_dir retrieval features matches results", numbers="skip_matches")
