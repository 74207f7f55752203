"""Localizes photos of rigs, frame by frame; results are kept on disk, so a killed run resumes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.errors import ConfigError, HlocLiteError, counted
from hloc_lite.geometry.rotations import cross_matrices
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.results import result_line
from hloc_lite.localize.batch import load_query, plain_prior, read_results, run_fingerprint
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.progress_file import append_line
from hloc_lite.localize.query import query_camera
from hloc_lite.localize.result import NO_HITS
from hloc_lite.types import (
    Camera,
    Float64,
    LocalizationResult,
    Photo,
    PoseEstimate,
    Prior,
    Rig,
    RigCamera,
    Rigid3,
    RigLocalizationResult,
    Status,
)

logger = logging.getLogger(__name__)
Frame = Mapping[str, Rigid3]
"""Query name -> cam_from_rig, of photos that were taken at one time."""


def localize_frames(
    localizer: Localizer,
    source: FolderSource,
    cameras: Mapping[str, Camera | None],
    frames: Sequence[Frame],
    progress_file: Path | None = None,
    *,
    prior: Prior | None = None,
    progress: bool = False,
) -> list[LocalizationResult]:
    """Localize the photos of each frame by one pose of their rig, and all others alone.

    A frame of a single photo is localized alone, too: then its pose has a confidence.

    Args:
        source: source of the photos.
        cameras: name -> intrinsics of all queries; those in frames of several need them.
        frames: photos that were taken together; a photo is in one frame at most.
        progress_file: as for ``batch.localize_all``.
        prior: prior of all cameras and rigs.
        progress: show a progress bar on stderr.

    Returns:
        A result for each query, in order. Photos of a rig have the pose of the rig and no
        confidence; times are shares of those of the rig.

    Raises:
        ConfigError: a photo in a frame has no intrinsics, or a promise is asked for rigs.
        HlocLiteError: the progress file cannot be read or written.
    """
    _check_intrinsics(frames, cameras)
    done: dict[str, LocalizationResult] = {}
    if progress_file is not None:
        extrinsics = [
            {name: pose.matrix.tolist() for name, pose in frame.items()} for frame in frames
        ]
        asked = {"prior": plain_prior(prior), "frames": extrinsics}
        run = run_fingerprint(localizer, source, cameras, asked)
        done = read_results(progress_file, run)
    in_rigs = {name for frame in frames if len(frame) > 1 for name in frame}
    jobs: list[Frame] = [frame for frame in frames if len(frame) > 1]
    jobs += [{name: Rigid3.identity()} for name in cameras if name not in in_rigs]
    todo = [frame for frame in jobs if not frame.keys() <= done.keys()]
    if done:
        logger.info("resuming: %d of %d queries are done", len(done), len(cameras))
    for frame in tqdm(todo, "frames", unit="frame", disable=not progress or not todo):
        photos = {name: load_query(source, name) for name in frame}
        if len(frame) > 1:
            results = _localize_rig(localizer, source, photos, cameras, frame, prior)
        else:
            results = [_localize_alone(localizer, *next(iter(photos.items())), cameras, prior)]
        for result in results:
            done[result.query_name] = replace(result, features=None, correspondences=None, cues=())
        if progress_file is not None:  # one write, so that a frame is kept whole or not at all
            append_line(progress_file, "".join(map(result_line, results)))
    return [done[name] for name in cameras]


def _check_intrinsics(frames: Sequence[Frame], cameras: Mapping[str, Camera | None]) -> None:
    for frame in frames:
        for name in frame if len(frame) > 1 else ():
            if cameras[name] is None:
                raise ConfigError(
                    f"{name!r} is a photo of a rig and has no intrinsics, which rigs need: give "
                    f"them with --queries"
                )


def _localize_alone(
    localizer: Localizer,
    name: str,
    photo: Photo | HlocLiteError,
    cameras: Mapping[str, Camera | None],
    prior: Prior | None,
) -> LocalizationResult:
    if isinstance(photo, HlocLiteError):
        return localizer.unreadable(name, photo)
    return localizer.localize(photo, cameras[name], name=name, prior=prior)


def _localize_rig(
    localizer: Localizer,
    source: FolderSource,
    photos: Mapping[str, Photo | HlocLiteError],
    cameras: Mapping[str, Camera | None],
    frame: Frame,
    prior: Prior | None,
) -> list[LocalizationResult]:
    """Results of the photos of a frame."""
    given = {name: camera for name in frame if (camera := cameras[name]) is not None}
    rig = Rig(tuple(RigCamera(given[name], pose) for name, pose in frame.items()))
    images = [
        source.root / name if isinstance(photo, HlocLiteError) else photo
        for name, photo in photos.items()
    ]
    result = localizer.localize_rig(images, rig, prior=prior)
    used = dict(given)
    for name, photo in photos.items():
        if isinstance(photo, Photo) and result.pose is not None:
            used[name] = query_camera(photo, given[name], localizer.config)
    return photo_results(result, frame, used)


def photo_results(
    result: RigLocalizationResult, frame: Frame, cameras: Mapping[str, Camera]
) -> list[LocalizationResult]:
    """Results of the photos of a rig, from that of the rig.

    A photo that could not be read has no pose, although the rig may have one; nor has one that
    contradicts the rig.

    Args:
        frame: photos in the order of the rig's cameras.
        cameras: their intrinsics, as they were used.
    """
    found = []
    times = {stage: time / len(frame) for stage, time in result.timings_ms.items()}
    for index, (name, cam_from_rig) in enumerate(frame.items()):
        unreadable = result.unreadable.get(result.query_names[index])
        doubt = result.contradictions.get(result.query_names[index])
        matches = result.correspondences[index]
        counts = {"correspondences": len(matches), "rig_photos": len(frame)}
        pose = None
        status, reason = result.status, f"rig of {counted(len(frame), 'photo')}: {result.reason}"
        if unreadable is not None:
            status, reason = Status.UNREADABLE, unreadable
        elif result.pose is not None and doubt is not None:
            status, reason = Status.DOUBTFUL, doubt
        elif result.pose is not None:
            mask = result.pose.inlier_masks[index]
            counts |= {"inliers": int(mask.sum()), "rig_inliers": result.pose.num_inliers}
            pose = PoseEstimate(
                cam_from_rig.compose(result.pose.rig_from_world), mask, result.pose.num_trials,
                _covariance_of_camera(cam_from_rig, result.pose.covariance), cameras[name],
            )  # fmt: skip
        found.append(
            LocalizationResult(
                query_name=name,
                status=status,
                reason=reason,
                pose=pose,
                correspondences=matches,
                features=None,
                hits=NO_HITS,
                counts=counts,
                timings_ms=times,
            )
        )
    return found


def _covariance_of_camera(cam_from_rig: Rigid3, covariance: Float64 | None) -> Float64 | None:
    """(6, 6) covariance of a camera's pose, from that of its rig (the adjoint of cam_from_rig)."""
    if covariance is None:
        return None
    rotation = cam_from_rig.rotation
    cross = cross_matrices(cam_from_rig.translation[None])[0]
    adjoint = np.block([[rotation, np.zeros((3, 3))], [cross @ rotation, rotation]])
    moved: Float64 = adjoint @ covariance @ adjoint.T
    return moved
