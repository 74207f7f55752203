"""A reference model (known poses) brought together with the images that are really there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from hloc_lite.errors import FormatError, MappingError
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera

Size = tuple[int, int]


def common_names(reference: SfmModel, names: Sequence[str]) -> list[str]:
    """The names that the reference has a pose for, in order.

    Raises:
        MappingError: none, with examples of both.
    """
    posed = {image.name for image in reference.images}
    if not posed:
        raise MappingError("the reference model has no images, so there are no poses to map with")
    common = [name for name in names if name in posed]
    if not common:
        raise MappingError(
            f"none of the {len(names)} images is in the reference model: it has "
            f"{sorted(posed)[:3]}..., the folder {list(names)[:3]}... Names must be the same "
            f"paths, relative to the image folder"
        )
    return common


def reference_cameras(
    reference: SfmModel, sizes: Mapping[str, Size]
) -> tuple[dict[int, Camera], dict[str, int]]:
    """Its cameras by id and the id for each image, rescaled where the images have another size.

    Raises:
        FormatError: an image's shape differs from its camera's, or images of one camera have
            different sizes.
    """
    cameras: dict[int, Camera] = {}
    camera_of: dict[str, int] = {}
    for name, size in sizes.items():
        camera_id = image_of(reference, name).camera_id
        try:
            camera = rescaled(reference.cameras[camera_id], *size)
        except FormatError as error:
            raise FormatError(f"image {name!r}: {error}") from None
        known = cameras.setdefault(camera_id, camera)
        if (known.width, known.height) != size:
            raise FormatError(
                f"image {name!r} has {size[0]} x {size[1]} pixels, others of its camera "
                f"{camera_id} have {known.width} x {known.height}"
            )
        camera_of[name] = camera_id
    return cameras, camera_of


def subset(reference: SfmModel, names: Sequence[str], cameras: Mapping[int, Camera]) -> SfmModel:
    """The reference with only these images, with the given cameras."""
    images = tuple(image_of(reference, name) for name in names)
    return SfmModel(
        cameras, images, reference.point3D_ids, reference.xyz, reference.rgb, reference.errors_px
    )


def image_of(reference: SfmModel, name: str) -> SfmImage:
    """The image of that name, which must be there."""
    image = reference.image_named(name)
    if image is None:
        raise MappingError(f"image {name!r} is not in the reference model")
    return image


def pose_values(reference: SfmModel | None) -> list[list[object]]:
    """Names, poses and intrinsics as plain numbers, for fingerprints."""
    if reference is None:
        return []
    return [
        [
            image.name,
            image.cam_from_world.rotation.tolist(),
            image.cam_from_world.translation.tolist(),
            reference.cameras[image.camera_id].model,
            reference.cameras[image.camera_id].params.tolist(),
        ]
        for image in reference.images
    ]


def reference_values(reference: SfmModel, *, with_points: bool) -> list[object]:
    """What ``pose_values`` leaves out, as plain values: camera sizes, and which keypoints of which
    images see a point."""
    sizes = {str(key): [c.width, c.height] for key, c in reference.cameras.items()}
    values: list[object] = [sizes, {i.name: i.camera_id for i in reference.images}]
    if with_points:
        digests = ((i.name, hashlib.sha256(i.point3D_idxs.tobytes())) for i in reference.images)
        values.append({name: digest.hexdigest()[:16] for name, digest in digests})
    return values
