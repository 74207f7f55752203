"""Messages of Open AR Cloud's GeoPoseProtocol: the requests of versions 1 and 2, and the response.

Source: https://github.com/OpenArCloud/oscp-geopose-protocol, README.md (version 2, candidate 1) and
protocolv1.md. Field names are those of the protocol. Only fields that the service uses are
declared. The others are accepted unread: readings of other sensors, rigs, privacy, ``priorPoses``.

The two versions differ in their readings. Version 1 has one list of them, and the intrinsics belong
to the sensor. Version 2 has a list for each kind of sensor, and each camera reading has its own
intrinsics. The response is the same in both.

Some public clients leave out required fields, or send times as text. So ``size`` is needed only
with intrinsics, and times are returned as they came.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

MAX_READINGS = 1000
MAX_SENSORS = 100
MAX_ID_CHARS = 200
MAX_MODEL_PARAMS = 12
"""Number of parameters of COLMAP's longest camera models."""
MAX_SIDE_PX = 200000

_Id = Annotated[str, Field(max_length=MAX_ID_CHARS)]
_Bounded = Field(ge=-1e18, le=1e18)
Timestamp = (
    Annotated[StrictInt, _Bounded]
    | Annotated[StrictFloat, _Bounded]
    | Annotated[StrictStr, Field(max_length=MAX_ID_CHARS)]
)
"""Milliseconds since 1970; some clients of version 1 send text."""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True
    )


class CameraParam(_Part):
    """Intrinsics: a camera model of COLMAP and its parameters, pixels."""

    model: str | None = Field(None, max_length=40, pattern=r"^\w*$")
    """Name of the model. UNKNOWN_CAMERA, UNKNOWN or none: intrinsics are found by the service."""
    modelParams: Annotated[list[float], Field(max_length=MAX_MODEL_PARAMS)] | None = None
    """Parameters in COLMAP's order. They refer to the ``size`` of the reading. COLMAP's pixels are
    assumed: the centre of the first one is (0.5, 0.5)."""


class ImageOrientation(_Part):
    """Orientation of the image as the sensor reports it; the protocol defines no more."""

    mirrored: bool = False
    rotation: float = 0.0


class CameraReading(_Part):
    """Photo with its intrinsics."""

    imageFormat: str | None = Field(None, max_length=40)
    """Not used: the format is found from the bytes. Readings called DEPTH are left out."""
    size: tuple[int, int] | None = Field(None, examples=[[1920, 1080]])
    """Width and height that the intrinsics refer to, pixels."""
    imageBytes: str
    """Image file (JPEG, PNG and others, not raw pixels) in base64."""
    imageOrientation: ImageOrientation | None = None
    """Not applied: the pose is that of the image as sent. Send it upright and not mirrored."""
    params: CameraParam | None = None
    """Intrinsics."""


class GeolocationReading(_Part):
    """Position of the device by satellites or networks (W3C Geolocation, WGS-84)."""

    latitude: float = Field(ge=-90, le=90)
    """Degrees."""
    longitude: float = Field(ge=-180, le=180)
    """Degrees."""
    accuracy: float | None = Field(None, ge=0, le=1e9)
    """Horizontal accuracy, metres. 0 or none: unknown, and the position is not used."""


class SensorReadings(_Part):
    """Readings of version 2, by kind of sensor."""

    cameraReadings: Annotated[list[CameraReading], Field(max_length=MAX_READINGS)] | None = None
    """One photo."""
    # the JavaScript client writes a capital L
    geolocationReadings: (
        Annotated[list[GeolocationReading], Field(max_length=MAX_READINGS)] | None
    ) = Field(None, validation_alias=AliasChoices("geolocationReadings", "geoLocationReadings"))
    """Positions; the most accurate one becomes the prior."""


class GeoPoseRequest(_Part):
    """Request of version 2."""

    id: _Id
    """Identifier of the request; returned."""
    timestamp: Timestamp
    """Time of the request, milliseconds since 1970; returned."""
    type: Literal["geopose"] = "geopose"
    """Kind of the request."""
    sensors: list[Any] = Field(max_length=MAX_SENSORS)
    """Sensors of the device. Not used in version 2; in version 1 cameras have ``params`` here."""
    sensorReadings: SensorReadings
    """``cameraReadings`` with one photo: ``imageBytes`` is an image file in base64, ``params`` and
    ``size`` are its intrinsics as in COLMAP. ``geolocationReadings`` with a known accuracy are a
    prior. Version 1 has a list of readings instead."""


class Sensor(_Part):
    """Sensor of version 1."""

    id: _Id
    type: str = Field(max_length=40)
    params: CameraParam | None = None


class SensorReading(_Part):
    """Reading of version 1; its kind is that of the sensor."""

    sensorId: _Id
    reading: dict[str, Any] | None = None


class GeoPoseRequestV1(_Part):
    """Request of version 1."""

    id: _Id
    timestamp: Timestamp
    type: Literal["geopose"] = "geopose"
    sensors: list[Sensor] = Field(max_length=MAX_SENSORS)
    sensorReadings: list[SensorReading] = Field(max_length=MAX_READINGS)

    def as_version_2(self) -> dict[str, Any]:
        """The same request in the shape of version 2, not validated.

        Raises:
            ValueError: a reading of a sensor that is not listed.
        """
        sensors = {sensor.id: sensor for sensor in self.sensors}
        cameras: list[dict[str, Any]] = []
        positions: list[dict[str, Any]] = []
        for each in self.sensorReadings:
            sensor = sensors.get(each.sensorId)
            if sensor is None:
                raise ValueError(f"sensorId {each.sensorId[:80]!r} is not among the sensors")
            if each.reading is None:
                continue
            if sensor.type == "camera":
                cameras.append({**each.reading, "params": sensor.params})
            elif sensor.type == "geolocation":
                positions.append(each.reading)
        readings = {"cameraReadings": cameras, "geolocationReadings": positions}
        return {
            "id": self.id,
            "timestamp": self.timestamp,
            "sensors": [],
            "sensorReadings": readings,
        }


class Position(_Part):
    """Position on Earth (WGS-84)."""

    lat: float
    """Latitude, degrees."""
    lon: float
    """Longitude, degrees."""
    h: float
    """Height above the ellipsoid, metres, if those were heights that the map was placed with."""


class Quaternion(_Part):
    """Unit quaternion."""

    x: float
    y: float
    z: float
    w: float


class GeoPose(_Part):
    """OGC GeoPose (Basic-Quaternion)."""

    position: Position
    """Camera centre."""
    quaternion: Quaternion
    """Rotation from camera axes (x forward, y left, z up) to east, north and up at the camera."""


class GeoPoseAccuracy(_Part):
    """Standard deviations; the largest double if they are unknown, as in the public clients."""

    position: float
    """Mean over the three axes, metres."""
    orientation: float
    """Mean over the three angles, degrees."""


class GeoPoseResponse(_Part):
    """Response of versions 1 and 2."""

    id: str
    """Identifier of the request."""
    timestamp: Timestamp
    """Time of the request."""
    accuracy: GeoPoseAccuracy
    """``position`` (metres) and ``orientation`` (degrees): standard deviations, each the mean over
    three components. The error of the georeference is not included."""
    type: Literal["geopose"] = "geopose"
    """Kind of the response."""
    geopose: GeoPose
    """``position`` (``lat``, ``lon``, ``h``) of the camera, and ``quaternion`` (``x``, ``y``,
    ``z``, ``w``) from camera axes (x forward, y left, z up) to east, north, up at the camera."""
