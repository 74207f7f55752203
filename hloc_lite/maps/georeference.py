"""Georeference: the location of a map on Earth, stored in MAP/georeference.json.

The map keeps its own axes and units. The georeference is a similarity from them to east, north and
up (ENU, metres) at an origin. It belongs to the poses that it was fitted to: a map that was built
again needs a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import (
    DamagedMapError,
    FormatError,
    HlocLiteError,
    NewerVersionError,
    StaleArtefactError,
)
from hloc_lite.geometry.frames import camera_axes
from hloc_lite.geometry.geodesy import (
    Geodetic,
    ecef_from_enu_rotation,
    enu_from_geodetic,
    geodetic_from_enu,
)
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation, rotation_from_quat_wxyz
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.io.files import read_json, read_json_object, write_json_atomic
from hloc_lite.io.schemas import check_checksum, check_schema, with_checksum
from hloc_lite.io.staging import HEADER, current_file
from hloc_lite.maps.folder import GEOREFERENCE
from hloc_lite.types import Float64, Rigid3

logger = logging.getLogger(__name__)

SCHEMA = "hloc_lite.georeference/1"
_REMEDY = "delete the file, and run `hloc-lite georeference` again"


@dataclass(frozen=True)
class FitQuality:
    """Agreement between the map and the positions that it was fitted to."""

    num_positions: int
    num_inliers: int
    median_error_m: float
    """Median 3D distance of the inliers."""
    rms_error_m: float
    """Root mean square 3D distance of the inliers."""
    rms_error_up_m: float
    """Root mean square of the inliers' height errors, mostly the largest part with satellites."""
    scale_sigma: float
    """Standard deviation of the scale, relative."""
    tilt_sigma_deg: float
    """Standard deviation of the up direction."""
    heading_sigma_deg: float
    """Standard deviation of the north direction."""
    up_from: str
    """Source of the up direction: positions, cameras, or both."""
    heights_m: tuple[float, float]
    """Lowest and highest camera of the map, above the origin."""


@dataclass(frozen=True, eq=False)
class Georeference:
    """Location of a map on Earth (WGS-84)."""

    latitude_deg: float
    """Latitude of the ENU origin."""
    longitude_deg: float
    """Longitude of the ENU origin."""
    height_m: float
    """Height of the ENU origin, above the ellipsoid if those of the positions were."""
    enu_from_map: Similarity3
    """ENU coordinates in metres; its scale is metres per map unit."""
    quality: FitQuality

    @property
    def origin(self) -> Geodetic:
        """Origin of ENU."""
        return Geodetic(self.latitude_deg, self.longitude_deg, self.height_m)

    @property
    def down_in_map(self) -> Float64:
        """(3,) unit vector of gravity at the origin, in map axes."""
        return -self.enu_from_map.rotation[2]

    @property
    def metres_per_unit(self) -> float:
        """Metres per map unit."""
        return self.enu_from_map.scale

    def in_enu(self, cam_from_world: Rigid3) -> Rigid3:
        """Pose ``cam_from_enu`` in metres of a pose in the map, as ``pose_in_frame`` takes it."""
        return self.enu_from_map.pose_in_a(cam_from_world)

    def covariance_in_enu(self, covariance: Float64) -> Float64:
        """(6, 6) covariance of the pose ``in_enu`` (metres) from that of the pose in the map.

        The uncertainty of the georeference itself (``quality``) is not included.
        """
        lengths = np.array([1.0] * 3 + [self.metres_per_unit] * 3)
        return covariance * lengths[:, None] * lengths

    def geodetic_from_map(self, xyz: npt.ArrayLike) -> Float64:
        """(..., 3) latitude and longitude in degrees, height in metres, of (..., 3) map points."""
        return geodetic_from_enu(self.enu_from_map.apply(xyz), self.origin)

    def map_from_geodetic(
        self, latitude_deg: float, longitude_deg: float, height_m: float
    ) -> Float64:
        """(3,) map point at a geodetic position.

        Raises:
            FormatError: latitude or longitude out of range.
        """
        position = Geodetic(latitude_deg, longitude_deg, height_m)
        return self.enu_from_map.inverse().apply(enu_from_geodetic(astuple(position), self.origin))

    def map_heights(self, *heights_m: float) -> tuple[float, ...]:
        """Convert heights above the ENU origin (metres) into those of ``Prior.heights``.

        The latter are map units above the origin of the map.
        """
        up = float(self.enu_from_map.translation[2])
        return tuple((height_m - up) / self.metres_per_unit for height_m in heights_m)

    def geopose(self, cam_from_world: Rigid3, camera: str = "ros") -> dict[str, dict[str, float]]:
        """Basic-Quaternion GeoPose (OGC 21-056r11) of a camera, as plain JSON values.

        The quaternion rotates camera axes to east, north and up *at the camera*. OGC does not
        define the axes of a body, but its yaw, pitch and roll are about z, y and x. So the default
        is x forward, y left, z up, and the identity is a level camera that looks east.

        Args:
            camera: camera axes, a name in ``geometry.frames.FRAMES``; ARKit and ARCore clients use
                opengl (x right, y up, z backward).
        """
        cam_from_enu = self.in_enu(cam_from_world)
        latitude, longitude, height = geodetic_from_enu(cam_from_enu.center, self.origin).tolist()
        here = ecef_from_enu_rotation(Geodetic(latitude, longitude, height))
        enu_here_from_enu = here.T @ ecef_from_enu_rotation(self.origin)
        rotation = enu_here_from_enu @ cam_from_enu.rotation.T @ camera_axes(camera).T
        w, x, y, z = quat_wxyz_from_rotation(rotation).tolist()
        return {
            "position": {"lat": latitude, "lon": longitude, "h": height},
            "quaternion": {"x": x, "y": y, "z": z, "w": w},
        }


def read_georeference(map_folder: Path | str) -> Georeference | None:
    """Read the georeference of the map in a folder; None if it has none, or only that of the map
    which it replaced.

    Raises:
        FormatError: a damaged file, another schema, or no map there.
        StaleArtefactError: it was fitted to other poses than those of the map.
    """
    path = Path(map_folder) / GEOREFERENCE
    if not path.is_file():
        return None
    try:
        value = read_json(path)
        value = value if isinstance(value, dict) else {}
        check_schema(value.get("schema"), SCHEMA, path)
        check_checksum(value, path, is_required=False)
    except NewerVersionError:
        raise
    except FormatError as error:
        raise DamagedMapError(f"{error}: {_REMEDY}") from None
    fitted_to, found = value.get("map"), map_identity(Path(map_folder))
    if fitted_to != found and fitted_to == _replaced_map(Path(map_folder)):
        return None  # the writer of the map was killed before it deleted the file
    if fitted_to != found:
        raise StaleArtefactError(
            f"{path} belongs to another map: it was fitted to {fitted_to}, the map here is "
            f"{found}: {_REMEDY}"
        )
    try:
        return georeference_from_json(value)
    except (KeyError, TypeError, ValueError, OverflowError, HlocLiteError) as error:
        raise DamagedMapError(f"{path} is damaged: {error!r}: {_REMEDY}") from None


def write_georeference(map_folder: Path | str, georeference: Georeference) -> None:
    """Write the georeference into the folder of the map that it was fitted to.

    Raises:
        FormatError: no map there.
        HlocLiteError: the file cannot be written.
    """
    folder = Path(map_folder)
    head = {"schema": SCHEMA, "map": map_identity(folder)}
    value = with_checksum(head | georeference_to_json(georeference))
    write_json_atomic(folder / GEOREFERENCE, value)


def georeference_to_json(georeference: Georeference) -> dict[str, Any]:
    """Plain JSON values of a georeference."""
    enu_from_map = georeference.enu_from_map
    return {
        **asdict(georeference.origin),
        "enu_from_map": {
            "scale": enu_from_map.scale,
            "quat_wxyz": quat_wxyz_from_rotation(enu_from_map.rotation).tolist(),
            "translation": enu_from_map.translation.tolist(),
        },
        "quality": asdict(georeference.quality),
    }


def delete_stale_georeference(map_folder: Path) -> None:
    """Delete the georeference of a map that was built again, if it belongs to the old poses."""
    try:
        is_stale = read_georeference(map_folder) is None
    except StaleArtefactError:
        is_stale = True
    except HlocLiteError as error:
        logger.warning("%s", error)
        return
    if is_stale and (map_folder / GEOREFERENCE).is_file():
        (map_folder / GEOREFERENCE).unlink(missing_ok=True)
        logger.warning(
            "the georeference belonged to the map's old poses and was deleted: run `hloc-lite "
            "georeference` again"
        )


def replace_georeference(map_folder: Path, georeference: Georeference | None) -> None:
    """Write the georeference of a map that has just been written.

    None keeps the one that is there, as long as the poses are the same (``georeference``).

    Raises:
        HlocLiteError: the file cannot be written.
    """
    if georeference is None:
        delete_stale_georeference(map_folder)
    else:
        write_georeference(map_folder, georeference)


def replaced_header(map_folder: Path) -> dict[str, Any]:
    """Entry ``replaced`` for the header of a map that replaces a georeferenced one; else nothing.

    It tells the old map's georeference from that of another map, until it is deleted.
    """
    path = map_folder / GEOREFERENCE
    if path.is_file() and (map_folder / HEADER).is_file():
        delete_stale_georeference(map_folder)  # of the map before
    if not path.is_file():
        return {}
    try:
        return {"replaced": map_identity(map_folder)}
    except FormatError:
        return {}


def _replaced_map(map_folder: Path) -> object:
    return read_json_object(current_file(map_folder, HEADER)).get("replaced")


def poses_identity(map_folder: Path) -> dict[str, str]:
    """Checksum of the poses of the map in a folder; empty if no map is there."""
    try:
        identity = map_identity(map_folder)
    except FormatError:
        return {}
    return {key: value for key, value in identity.items() if key != "fingerprint"}


def map_identity(map_folder: Path) -> dict[str, str]:
    """Identity of a map's poses: its fingerprint, and the checksum of the stored poses.

    The checksum is needed because two runs with the same fingerprint may give different poses.

    Raises:
        FormatError: no map there.
    """
    header = read_json(current_file(map_folder, HEADER))
    if not isinstance(header, dict) or not isinstance(header.get("fingerprint"), str):
        raise FormatError(f"{map_folder}/map.json does not belong to a map: it has no fingerprint")
    identity = {"fingerprint": header["fingerprint"]}
    files = header.get("files")
    poses, compact = (
        files.get(name) if isinstance(files, dict) else None
        for name in ("sfm/images.bin", "images/poses.npy")
    )
    if isinstance(compact, dict):
        return identity | {"poses_crc32": str(compact.get("crc32"))}
    return identity if poses is None else identity | {"poses_sha256": str(poses)[:16]}


def georeference_from_json(value: Mapping[str, Any]) -> Georeference:
    """Georeference from the values of ``georeference_to_json``.

    Raises:
        FormatError: a number is not finite or out of range.
    """
    similarity = value["enu_from_map"]
    translation = np.array(similarity["translation"], np.float64)
    quality = dict(value["quality"])
    low, high = (float(height) for height in quality.pop("heights_m"))
    origin = Geodetic(*(float(value[k]) for k in ("latitude_deg", "longitude_deg", "height_m")))
    if not np.isfinite(translation).all():
        raise FormatError(f"translation: expected finite numbers, got {similarity['translation']}")
    return Georeference(
        **asdict(origin),
        enu_from_map=Similarity3(
            float(similarity["scale"]),
            rotation_from_quat_wxyz(similarity["quat_wxyz"]),
            translation,
        ),
        quality=FitQuality(**quality, heights_m=(low, high)),
    )
