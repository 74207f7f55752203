"""Rigs of COLMAP models: frames as ids of images, and back.

A ``SfmModel`` says which images are of one frame, not how cameras are mounted: that follows from
the poses, in any frame and at any scale that the model is brought to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.colmap.rigs import ColmapFrame, ColmapRigs
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Float64, Rigid3

logger = logging.getLogger(__name__)
Frame = Mapping[int, SfmImage]
"""Camera id -> image."""
MAX_ANGLE_RAD = 1e-6
"""Largest difference of rotations that count as equal: text with eight digits has less."""
MAX_SHARE = 1e-6
"""Largest difference of positions that count as equal, as a share of the extent of all images."""
ROUNDING = 1e-9
"""Same, as a share of the translations: those of models far from their origin are rounded more."""


def with_frames(model: SfmModel, rigs: ColmapRigs, paths: Sequence[Path]) -> SfmModel:
    """Model whose images know their frames.

    The poses of images are kept. Where those of frames and rigs differ, the model is returned as it
    is, with a warning: points belong to the poses of images, and programs that do not know rigs
    change these only.

    Args:
        paths: files of images, rigs and frames, for messages.

    Raises:
        FormatError: a frame has an image of another camera.
    """
    by_id = {image.image_id: image for image in model.images}
    listed: list[tuple[SfmImage, Rigid3, Rigid3]] = []
    frame_of: dict[int, int] = {}
    missing = 0
    for frame_id, frame in rigs.frames.items():
        present = {c: by_id[i] for c, i in frame.image_ids.items() if i in by_id}
        missing += len(frame.image_ids) - len(present)
        if len(present) > 1:
            first = min(image.image_id for image in present.values())
            frame_of |= {image.image_id: first for image in present.values()}
        for camera_id, image in present.items():
            if image.camera_id != camera_id:
                raise FormatError(
                    f"{paths[2]}: frame {frame_id} has image {image.image_id} of camera "
                    f"{camera_id}, but {paths[0].name} says it is of {image.camera_id}: remove "
                    f"{paths[1].name} and {paths[2].name} to read the images without rigs"
                )
            cam_from_rig = rigs.rigs[frame.rig_id][camera_id]
            if cam_from_rig is not None and frame.rig_from_world is not None:
                listed.append((image, cam_from_rig, frame.rig_from_world))
    if missing and model.images:  # as in a model from which images were taken by hand
        logger.warning(
            "%s: %s of frames not in %s: ignored", paths[2], counted(missing, "image"),
            paths[0].name,
        )  # fmt: skip
    if _differ(listed, model, paths) or not frame_of:
        return model
    images = tuple(replace(i, frame_id=frame_of.get(i.image_id)) for i in model.images)
    references = frozenset(next(iter(cameras)) for cameras in rigs.rigs.values() if cameras)
    return replace(model, images=images, reference_cameras=references)


def _differ(
    listed: Sequence[tuple[SfmImage, Rigid3, Rigid3]], model: SfmModel, paths: Sequence[Path]
) -> bool:
    """True if poses of images are not those of their frames; says so."""
    if not listed:
        return False
    given = _stack(image.cam_from_world for image, _, _ in listed)
    mounted = _stack(cam_from_rig for _, cam_from_rig, _ in listed)
    carried = _stack(rig_from_world for _, _, rig_from_world in listed)
    rotations = mounted[0] @ carried[0]
    shifts = np.einsum("nij,nj->ni", mounted[0], carried[1]) + mounted[1]
    angles, distances = _differences(given, (rotations, shifts))
    wrong = (angles > MAX_ANGLE_RAD) | (distances > _tolerance(model))
    if not wrong.any():
        return False
    first = listed[int(np.flatnonzero(wrong)[0])][0].name
    logger.warning(
        "%s: the poses of %d of %d images are not those of their frames in %s, by up to %.3g map "
        "units and %.3g degrees, first %r. Those of the images are used, as the points belong to "
        "them, and the rigs are left out; COLMAP from 3.12 on uses those of the frames",
        paths[0], wrong.sum(), len(wrong), paths[2].name, distances[wrong].max(),
        np.degrees(angles[wrong].max()), first,
    )  # fmt: skip
    return True


def rigs_of_model(model: SfmModel) -> ColmapRigs:
    """Rigs and frames of a model, as COLMAP needs them: every image is in a frame.

    Cameras whose images share frames are on one rig. The rig and frame ids are those of the
    reference camera and of the first image. Frames whose cameras moved against each other are taken
    apart, with a warning.
    """
    frames = _frames_of(model)
    tolerance = _tolerance(model)
    mounted = _mounted_cameras(frames, model.reference_cameras)
    carrier = {camera_id: rig_id for rig_id, cameras in mounted.items() for camera_id in cameras}
    carriers = [carrier[next(iter(frame))] for frame in frames]
    loose = {
        rig_id
        for rig_id, frame in zip(carriers, frames, strict=True)
        if not _is_rigid(frame, mounted[rig_id], tolerance)
    }
    if loose:
        logger.warning(
            "cameras move against each other in frames of %s: written as single cameras",
            counted(len(loose), "rig"),
        )  # fmt: skip
    kept = {rig_id: cameras for rig_id, cameras in mounted.items() if rig_id not in loose}
    rig_of = {camera_id: rig_id for rig_id, cameras in kept.items() for camera_id in cameras}
    rigs: dict[int, Mapping[int, Rigid3 | None]] = {**kept}
    for camera_id in model.cameras:
        if camera_id not in rig_of:
            rigs[camera_id], rig_of[camera_id] = {camera_id: Rigid3.identity()}, camera_id
    together = [f for rig_id, f in zip(carriers, frames, strict=True) if rig_id in kept]
    in_frames = {image.image_id for frame in together for image in frame.values()}
    alone = [{i.camera_id: i} for i in model.images if i.image_id not in in_frames]
    found = {}
    for frame in [*together, *alone]:
        rig_id = rig_of[next(iter(frame))]
        ids = {camera_id: image.image_id for camera_id, image in frame.items()}
        if rig_id in frame:  # the reference camera needs no calculation, which would round
            rig_from_world = frame[rig_id].cam_from_world
        else:
            rig_from_world = _rig_from_world(frame, next(iter(frame)), kept[rig_id])
        found[min(ids.values())] = ColmapFrame(rig_id, rig_from_world, ids)
    return ColmapRigs(rigs=rigs, frames=found)


def _frames_of(model: SfmModel) -> list[dict[int, SfmImage]]:
    """Frames of several images, one of each camera."""
    members: dict[int, list[SfmImage]] = {}
    for image in model.images:
        if image.frame_id is not None:
            members.setdefault(image.frame_id, []).append(image)
    frames = [{image.camera_id: image for image in images} for images in members.values()]
    return [
        frame
        for frame, images in zip(frames, members.values(), strict=True)
        if 1 < len(images) == len(frame)
    ]


def _mounted_cameras(
    frames: Sequence[Frame], references: frozenset[int]
) -> dict[int, dict[int, Rigid3]]:
    """Reference camera -> camera -> cam_from_rig, of cameras that frames connect."""
    with_camera: dict[int, list[Frame]] = {}
    for frame in frames:
        for camera_id in frame:
            with_camera.setdefault(camera_id, []).append(frame)
    mounted: dict[int, dict[int, Rigid3]] = {}
    placed: set[int] = set()
    for start in sorted(with_camera, key=lambda each: (each not in references, each)):
        if start in placed:
            continue
        rig = mounted[start] = {start: Rigid3.identity()}
        reached = [start]
        while reached:
            camera_id = reached.pop()
            for frame in with_camera.pop(camera_id):
                rig_from_world = _rig_from_world(frame, camera_id, rig)
                for other in frame.keys() - rig.keys():
                    rig[other] = frame[other].cam_from_world.compose(rig_from_world.inverse())
                    reached.append(other)
        placed |= rig.keys()
    return mounted


def _rig_from_world(frame: Frame, camera_id: int, cameras: Mapping[int, Rigid3]) -> Rigid3:
    return cameras[camera_id].inverse().compose(frame[camera_id].cam_from_world)


def _is_rigid(frame: Frame, cameras: Mapping[int, Rigid3], tolerance: float) -> bool:
    """True if the images of a frame are where its rig carries the cameras."""
    rig_from_world = _rig_from_world(frame, next(iter(frame)), cameras)
    expected = _stack(cameras[camera_id].compose(rig_from_world) for camera_id in frame)
    given = _stack(image.cam_from_world for image in frame.values())
    angles, distances = _differences(given, expected)
    return bool((angles <= MAX_ANGLE_RAD).all() and (distances <= tolerance).all())


def _tolerance(model: SfmModel) -> float:
    """Largest distance between positions that count as equal, in map units."""
    rotations, translations = _stack(image.cam_from_world for image in model.images)
    centers = -np.einsum("nji,nj->ni", rotations, translations)
    extent = np.ptp(centers, axis=0).max(initial=0.0) if len(centers) else 0.0
    return float(MAX_SHARE * extent + ROUNDING * np.abs(translations).max(initial=0.0))


def _stack(poses: Iterable[Rigid3]) -> tuple[Float64, Float64]:
    """(N, 3, 3) rotations and (N, 3) translations."""
    listed = list(poses)
    rotations = np.array([pose.rotation for pose in listed]).reshape(-1, 3, 3)
    return rotations, np.array([pose.translation for pose in listed]).reshape(-1, 3)


def _differences(
    found: tuple[Float64, Float64], expected: tuple[Float64, Float64]
) -> tuple[Float64, Float64]:
    """(N,) angles in radians and (N,) distances of the centres of two sets of poses."""
    # the chord between two rotations; an arc cosine is too inexact for small angles
    chords = np.linalg.norm(found[0] - expected[0], axis=(1, 2)) / np.sqrt(8)
    angles: Float64 = 2 * np.arcsin(np.clip(chords, 0, 1))
    centers = [
        -np.einsum("nji,nj->ni", rotations, shifts) for rotations, shifts in (found, expected)
    ]
    return angles, np.linalg.norm(centers[0] - centers[1], axis=1)
