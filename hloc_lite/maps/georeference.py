"""Where on Earth a map lies: MAP/georeference.json.

The map itself stays as it is, in its own axes and units; the georeference says how they lie in the
plane of east, north and up (ENU, metres) at an origin. It belongs to the poses it was fitted to: a
map that was built again needs another one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import DamagedMapError, FormatError, HlocLiteError, StaleArtefactError
from hloc_lite.geometry.frames import camera_axes
from hloc_lite.geometry.geodesy import (
    Geodetic,
    ecef_from_enu_rotation,
    enu_from_geodetic,
    geodetic_from_enu,
)
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation, rotation_from_quat_wxyz
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.maps.folder import GEOREFERENCE
from hloc_lite.types import Float64, Rigid3

logger = logging.getLogger(__name__)

SCHEMA = "hloc_lite.georeference/1"
_REMEDY = "delete the file, and run `hloc-lite georeference` again"


@dataclass(frozen=True)
class FitQuality:
    """How well positions of the map's images agree with the map."""

    num_positions: int
    num_inliers: int
    median_error_m: float
    """Of the inliers, distance in space."""
    rms_error_m: float
    """Of the inliers."""
    rms_error_up_m: float
    """Of the inliers, of the height alone: of satellite positions mostly the worst of the three."""
    scale_sigma: float
    """Standard deviation of the scale, relative."""
    tilt_sigma_deg: float
    """Of the direction of up."""
    heading_sigma_deg: float
    """Of the direction of north."""
    up_from: str
    """positions, cameras, or both: where up was taken from."""
    heights_m: tuple[float, float]
    """Of the map's cameras above the origin, lowest and highest."""


@dataclass(frozen=True, eq=False)
class Georeference:
    """The place of a map on Earth (WGS-84)."""

    latitude_deg: float
    """Of the origin of ENU, as the next two."""
    longitude_deg: float
    height_m: float
    """Above the ellipsoid, if the positions were."""
    enu_from_map: Similarity3
    """Metres east, north and up of the origin; the scale is metres per map unit."""
    quality: FitQuality

    @property
    def origin(self) -> Geodetic:
        return Geodetic(self.latitude_deg, self.longitude_deg, self.height_m)

    @property
    def down_in_map(self) -> Float64:
        """(3,) unit vector of gravity at the origin, in map axes."""
        return -self.enu_from_map.rotation[2]

    @property
    def metres_per_unit(self) -> float:
        return self.enu_from_map.scale

    def in_enu(self, cam_from_world: Rigid3) -> Rigid3:
        """``cam_from_enu`` in metres, of a pose in the map: for ``pose_in_frame(_, "enu")``."""
        return self.enu_from_map.pose_in_a(cam_from_world)

    def from_enu(self, cam_from_enu: Rigid3) -> Rigid3:
        """The inverse of ``in_enu``."""
        return self.enu_from_map.pose_in_b(cam_from_enu)

    def covariance_in_enu(self, covariance: Float64) -> Float64:
        """(6, 6) of ``in_enu``'s pose in metres, of that of the pose in the map; without how sure
        the georeference itself is (``quality``)."""
        lengths = np.array([1.0] * 3 + [self.metres_per_unit] * 3)
        return covariance * lengths[:, None] * lengths

    def geodetic_from_map(self, xyz: npt.ArrayLike) -> Float64:
        """(..., 3) latitude, longitude (degrees), height (metres) of map points."""
        return geodetic_from_enu(self.enu_from_map.apply(xyz), self.origin)

    def map_from_geodetic(
        self, latitude_deg: float, longitude_deg: float, height_m: float
    ) -> Float64:
        """(3,) map point of a place.

        Raises:
            FormatError: no such place on Earth.
        """
        place = Geodetic(latitude_deg, longitude_deg, height_m)
        return self.enu_from_map.inverse().apply(enu_from_geodetic(astuple(place), self.origin))

    def map_heights(self, *heights_m: float) -> tuple[float, ...]:
        """Metres above the ENU origin as ``types.Prior.heights`` counts: map units above the map's
        own origin."""
        up = float(self.enu_from_map.translation[2])
        return tuple((height_m - up) / self.metres_per_unit for height_m in heights_m)

    def geopose(self, cam_from_world: Rigid3, camera: str = "ros") -> dict[str, dict[str, float]]:
        """The Basic-Quaternion GeoPose (OGC 21-056r11) of a camera, in plain JSON values.

        The quaternion turns the camera's axes to east, north and up *at the camera*. OGC leaves
        the axes of a body open, but turns it by yaw, pitch and roll about z, y and x: so x forward,
        y left, z up are the default, and the identity is a level camera that looks east.

        Args:
            camera: axes of the camera, a name of ``geometry.frames.FRAMES``; opengl (x right, y up,
                z backward) is what ARKit and ARCore clients have.
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
    """The georeference of the map in a folder; None if it has none.

    Raises:
        FormatError: a damaged file, another schema, or no map there.
        StaleArtefactError: it was fitted to other poses than the map has now.
    """
    path = Path(map_folder) / GEOREFERENCE
    if not path.is_file():
        return None
    try:
        value = read_json(path)
    except FormatError as error:
        raise DamagedMapError(f"{error}: {_REMEDY}") from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else value
        raise DamagedMapError(f"{path}: expected schema {SCHEMA}, got {found!r}: {_REMEDY}")
    mine, map_has = value.get("map"), map_identity(Path(map_folder))
    if mine != map_has:
        raise StaleArtefactError(
            f"{path} belongs to another map: it was fitted to {mine}, the map here is {map_has}: "
            f"{_REMEDY}"
        )
    try:
        return georeference_from_json(value)
    except (KeyError, TypeError, ValueError, HlocLiteError) as error:
        raise DamagedMapError(f"{path} is damaged: {error!r}: {_REMEDY}") from None


def write_georeference(map_folder: Path | str, georeference: Georeference) -> None:
    """Write it beside the map that it was fitted to.

    Raises:
        FormatError: no map there.
        HlocLiteError: the file cannot be written.
    """
    folder = Path(map_folder)
    head = {"schema": SCHEMA, "map": map_identity(folder)}
    write_json_atomic(folder / GEOREFERENCE, head | georeference_to_json(georeference))


def georeference_to_json(georeference: Georeference) -> dict[str, Any]:
    """In plain JSON values."""
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
    """Delete a georeference of poses that the map has no longer, after it was built again."""
    try:
        read_georeference(map_folder)
    except StaleArtefactError:
        (map_folder / GEOREFERENCE).unlink(missing_ok=True)
        logger.warning(
            "the map's georeference was of its old poses and is deleted: run `hloc-lite "
            "georeference` again"
        )
    except HlocLiteError as error:
        logger.warning("%s", error)


def map_identity(map_folder: Path) -> dict[str, str]:
    """What tells the poses of a map from those of others: the fingerprint of what it was made
    from, and the checksum of its images' poses (building is not always the same twice).

    Raises:
        FormatError: no map there.
    """
    header = read_json(map_folder / "map.json")
    if not isinstance(header, dict) or not isinstance(header.get("fingerprint"), str):
        raise FormatError(f"{map_folder}/map.json is none of a map")
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
    """What ``georeference_to_json`` made values of.

    Raises:
        FormatError: numbers that are not finite, or out of range.
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
