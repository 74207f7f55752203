"""hloc's ``localize_sfm``: queries -> poses, by their matches with images of an SfM model."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import camera_of, queries_with_cameras
from hloc_lite.compat.hloc.query_localizer import QueryLocalizer, database_cluster
from hloc_lite.compat.hloc.query_log import pose_of, write_log
from hloc_lite.concurrency import sleeping_openmp_threads
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.formats.hloc.retrieval import read_retrieval
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.scene import SfmImage, covisibility_clusters
from hloc_lite.types import Camera, Rigid3

__all__ = ["QueryLocalizer", "do_covisibility_clustering", "main", "pose_from_cluster"]
logger = logging.getLogger(__name__)


@sleeping_openmp_threads()
def main(
    reference_sfm: Any,
    queries: Path | str,
    retrieval: Path | str,
    features: Path | str,
    matches: Path | str,
    results: Path | str,
    ransac_thresh: float = 12,
    covisibility_clustering: bool = False,
    prepend_camera_name: bool = False,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Localize queries and write their poses, and a log beside them.

    A query without a pose gets that of its best retrieved image, as in hloc, with a warning; with
    clustering it is left out. Names in the results are without folders, unless two queries would
    then have the same one.

    Args:
        reference_sfm: SfM model: a folder, or a ``pycolmap.Reconstruction``.
        queries: list of queries with intrinsics, or a glob of such lists.
        retrieval: map images of each query, best first.
        features: file with the features of the queries.
        matches: file with their matches.
        results: file of poses to write.
        ransac_thresh: inlier bound, pixels.
        covisibility_clustering: estimate a pose for each group of covisible map images.
        prepend_camera_name: keep the last folder of names, as RobotCar needs it.
        config: further settings of ``QueryLocalizer``.

    Raises:
        FormatError: a file that cannot be read, or lacks an image or a pair.
    """
    settings = {"estimation": {"ransac": {"max_error": ransac_thresh}}, **(config or {})}
    localizer = QueryLocalizer(reference_sfm, settings)
    cameras = queries_with_cameras(queries)
    names = {*cameras, *(image.name for image in localizer.model.images)}
    entries: dict[str, Any] = {}
    with (
        closing(FeaturesFile(Path(features))) as features_file,
        closing(MatchesFile(Path(matches), names)) as matches_file,
    ):
        retrieved = read_retrieval(Path(retrieval), {*names, *features_file})
        files = OpenFiles(features_file, matches_file)
        for name, camera in tqdm(cameras.items(), "queries", disable=None):
            images = _known_images(localizer, name, retrieved.get(name, []))
            if images:
                entries[name] = localize_query(
                    localizer, name, camera, images, files, with_clusters=covisibility_clustering
                )
    poses = {name: pose for name, entry in entries.items() if (pose := _written(localizer, entry))}
    located = sum(pose_of(entry) is not None for entry in entries.values())
    logger.info("%d of %d queries have a pose", located, len(cameras))
    if located < len(poses):
        logger.warning(
            "%d queries without a pose have that of their best retrieved image",
            len(poses) - located,
        )
    write_poses(Path(results), with_result_names(poses, with_folder=prepend_camera_name))
    write_log(Path(f"{results}_logs.pkl"), str(features), str(matches), str(retrieval), entries)


@sleeping_openmp_threads()
def pose_from_cluster(
    localizer: QueryLocalizer,
    qname: str,
    query_camera: Any,
    db_ids: Sequence[int],
    features_path: Path | str,
    matches_path: Path | str,
    **_unused: Any,
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Localize a query by its matches with some map images.

    Args:
        localizer: the model and settings.
        qname: name of the query.
        query_camera: its intrinsics, also as ``pycolmap.Camera``.
        db_ids: image ids in the model.
        features_path: file with the features of the query.
        matches_path: file with its matches.

    Returns:
        hloc's answer (``QueryLocalizer.localize``) and log.

    Raises:
        FormatError: a file that cannot be read, or lacks the query or a pair.
    """
    images = [localizer.image_with_id(int(image_id)) for image_id in db_ids]
    names = {qname, *(image.name for image in localizer.model.images)}
    with (
        closing(FeaturesFile(Path(features_path))) as features_file,
        closing(MatchesFile(Path(matches_path), names)) as matches_file,
    ):
        files = OpenFiles(features_file, matches_file)
        return _answer(localizer, qname, camera_of(query_camera), images, files)


def do_covisibility_clustering(frame_ids: Sequence[int], reconstruction: Any) -> list[list[int]]:
    """Group map images that share points, the largest group first."""
    localizer = QueryLocalizer(reconstruction)
    images = [localizer.image_with_id(int(image_id)) for image_id in frame_ids]
    return [[image.image_id for image in group] for group in _clusters(images)]


@dataclass(frozen=True, eq=False)
class OpenFiles:
    """Open files of a run."""

    features: FeaturesFile
    matches: MatchesFile


def _known_images(localizer: QueryLocalizer, query: str, names: Sequence[str]) -> list[SfmImage]:
    """Retrieved images that the model has."""
    images = [image for name in names if (image := localizer.model.image_named(name)) is not None]
    if len(images) < len(names):
        logger.warning("%s: %d retrieved images are not in the model", query,
                       len(names) - len(images))  # fmt: skip
    if not images:
        logger.warning("%s: no retrieved image; it is left out", query)
    return images


def localize_query(
    localizer: QueryLocalizer,
    name: str,
    camera: Camera,
    images: Sequence[SfmImage],
    files: OpenFiles,
    *,
    with_clusters: bool,
) -> dict[str, Any]:
    """Log of a query, in hloc's layout."""
    if not with_clusters:
        return _answer(localizer, name, camera, images, files)[1]
    logs = [_answer(localizer, name, camera, group, files)[1] for group in _clusters(images)]
    counts = [0 if log["PnP_ret"] is None else log["PnP_ret"]["num_inliers"] for log in logs]
    best = max(range(len(counts)), key=counts.__getitem__)
    return {
        "db": [image.image_id for image in images],
        "best_cluster": best if counts[best] else None,
        "log_clusters": logs,
        "covisibility_clustering": True,
    }


def _answer(
    localizer: QueryLocalizer,
    name: str,
    camera: Camera,
    images: Sequence[SfmImage],
    files: OpenFiles,
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    if name not in files.features:
        raise FormatError(f"{files.features.path} has no features of {name!r}")
    query = files.features[name]
    ids = localizer.model.point3D_ids
    cluster = database_cluster(name, images, ids, files.matches, len(query))
    size = query.image_size
    answer = localizer.localize(
        query.keypoints, cluster.keypoint_idxs, cluster.point3D_ids, camera, image_size=size
    )
    points = query.keypoints[cluster.keypoint_idxs]
    return answer, {
        "db": [image.image_id for image in images],
        "PnP_ret": answer,
        "keypoints_query": points,
        "points3D_xyz": None,
        "points3D_ids": cluster.point3D_ids.tolist(),
        "num_matches": cluster.num_matches,
        "keypoint_index_to_db": (cluster.keypoint_idxs.tolist(), cluster.seen_by),
    }


def _clusters(images: Sequence[SfmImage]) -> list[list[SfmImage]]:
    """Groups of covisible images, the largest first; those of equal size in order of retrieval."""
    by_name = {image.name: image for image in images}
    groups = covisibility_clusters({name: image.point3D_idxs for name, image in by_name.items()})
    return [[by_name[name] for name in group] for group in sorted(groups, key=len, reverse=True)]


def _written(localizer: QueryLocalizer, entry: Mapping[str, Any]) -> Rigid3 | None:
    """Pose in the results; that of the best retrieved image where there is none, as in hloc."""
    pose = pose_of(entry)
    if pose is not None or entry.get("covisibility_clustering"):
        return pose
    return localizer.image_with_id(entry["db"][0]).cam_from_world


def with_result_names(poses: Mapping[str, Rigid3], *, with_folder: bool) -> dict[str, Rigid3]:
    """Poses by the names of hloc's results; by whole names where those would be the same."""
    parts = 2 if with_folder else 1
    short = {name: "/".join(name.split("/")[-parts:]) for name in poses}
    repeated = [name for name, count in Counter(short.values()).items() if count > 1]
    if repeated:
        logger.warning(
            "%d names of results stand for several queries, first %r: whole names are written",
            len(repeated), repeated[0],
        )  # fmt: skip
        return dict(poses)
    return {short[name]: pose for name, pose in poses.items()}


def _command_line(
    reference_sfm: Path,
    queries: Path,
    features: Path,
    matches: Path,
    retrieval: Path,
    results: Path,
    ransac_thresh: float = 12.0,
    covisibility_clustering: bool = False,
    prepend_camera_name: bool = False,
) -> None:
    """Localize queries and write their poses, and a log beside them."""
    main(
        reference_sfm, queries, retrieval, features, matches, results, ransac_thresh,
        covisibility_clustering, prepend_camera_name,
    )  # fmt: skip


if __name__ == "__main__":
    run(
        _command_line, "reference_sfm queries features matches retrieval results",
        flags="covisibility_clustering prepend_camera_name", numbers="ransac_thresh",
    )  # fmt: skip
