"""Readers of all formats by one argument, the path of a made file (``city_model``, ``city_files``).

They are called in processes of their own; each imports what it needs when it is called.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from hloc_lite.types import Camera


def nvm(path: Path) -> object:
    """NVM."""
    from hloc_lite.formats.nvm import read_nvm

    return read_nvm(path, cameras=_cameras())


def bundler(path: Path) -> object:
    """Bundler."""
    from hloc_lite.formats.bundler import read_bundler

    return read_bundler(path / "bundle.out", path / "list.txt", cameras=_cameras())


def colmap_text(path: Path) -> object:
    """COLMAP model, .txt."""
    from hloc_lite.formats.colmap import read_model

    return read_model(path)


def kapture_tables(path: Path) -> object:
    """kapture: records and trajectories."""
    from hloc_lite.formats.kapture import posed_images, read_kapture

    return posed_images(read_kapture(path))


def kapture(path: Path) -> object:
    """kapture with points, observations and keypoints in a tar."""
    return kapture_tables(path)


def kapture_matches(path: Path) -> object:
    """kapture: all matches in a tar."""
    from hloc_lite.formats.kapture import open_matches

    matches = open_matches(path, "sift")
    return [matches.read(*pair) for pair in matches.pairs()]


def kapture_pairs(path: Path) -> object:
    """kapture: pairs file."""
    from hloc_lite.formats.kapture import read_pairs_file

    return read_pairs_file(path)


def capture(path: Path) -> object:
    """LaMAR capture session."""
    from hloc_lite.formats.capture import read_session, session_images

    return session_images(read_session(path))


def transforms(path: Path) -> object:
    """nerfstudio transforms.json."""
    from hloc_lite.formats.nerfstudio import read_transforms

    return read_transforms(path, check_images=False)


def colmap_database(path: Path) -> object:
    """COLMAP database: keypoints and matches."""
    from hloc_lite.formats.colmap.database import ColmapDatabase

    with ColmapDatabase(path) as database:
        keypoints = [database.keypoints(name) for name in database.images.image_ids]
        return keypoints, [database.matches(*pair) for pair in database.matched_pairs()]


def hloc_features(path: Path) -> object:
    """hloc features, .h5."""
    from hloc_lite.formats.hloc.features import FeaturesFile

    with FeaturesFile(path) as file:
        return dict(file)


def hloc_matches(path: Path) -> object:
    """hloc matches, .h5."""
    from hloc_lite.formats.hloc.matches import MatchesFile

    with MatchesFile(path, _names(path)) as file:
        return [file.read(*pair) for pair in file.pairs()]


def hloc_global_descriptors(path: Path) -> object:
    """hloc global descriptors, .h5."""
    from hloc_lite.formats.hloc.global_descriptors import read_global_descriptors

    return read_global_descriptors(path)


def retrieval(path: Path) -> object:
    """hloc retrieval list."""
    from hloc_lite.formats.hloc.retrieval import read_retrieval

    return read_retrieval(path)


def retrieval_known(path: Path) -> object:
    """hloc retrieval list with known names."""
    from hloc_lite.formats.hloc.retrieval import read_retrieval

    return read_retrieval(path, _names(path))


def pairs(path: Path) -> object:
    """Pair list with known names."""
    from hloc_lite.formats.hloc_lists import read_pairs

    return read_pairs(path, _names(path))


def tum(path: Path) -> object:
    """TUM trajectory."""
    from hloc_lite.formats.trajectories import read_tum

    return read_tum(path)


def euroc(path: Path) -> object:
    """EuRoC trajectory."""
    from hloc_lite.formats.euroc import read_euroc

    return read_euroc(path)


def kitti(path: Path) -> object:
    """KITTI trajectory."""
    from hloc_lite.formats.kitti import read_kitti_poses

    return read_kitti_poses(path)


def poses(path: Path) -> object:
    """hloc pose list."""
    from hloc_lite.formats.hloc_lists import read_poses

    return read_poses(path)


def submission(path: Path) -> object:
    """Submission, read."""
    from hloc_lite.formats.submissions.forms import submission_form
    from hloc_lite.formats.submissions.reader import read_submission

    return read_submission(path, submission_form("cmu"))


def submission_check(path: Path) -> object:
    """Submission, checked."""
    from hloc_lite.formats.submissions.check import check_submission
    from hloc_lite.formats.submissions.forms import submission_form

    return check_submission(path, submission_form("cmu"))


def seven_scenes(path: Path) -> object:
    """7-Scenes folder."""
    from hloc_lite.formats.seven_scenes import read_seven_scenes

    return read_seven_scenes(path, "train")


def _names(path: Path) -> list[str]:
    """Names of the images, beside a file."""
    names: list[str] = json.loads(path.with_suffix(".json").read_text())
    return names


@cache
def _cameras() -> dict[str, Camera]:
    """Intrinsics of formats without image sizes."""
    from pipelines.benchmarks.speed.city_model import CAMERA, image_names

    return dict.fromkeys(image_names(20_000), CAMERA)
