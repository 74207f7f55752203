"""Values that stages exchange: frozen, with read-only arrays and checked shapes.

Conventions of the whole package, converted only in ``io`` and ``formats``:

* Pixels are COLMAP's: x right, y down, (0.5, 0.5) is the centre of the top-left pixel, at the
  resolution of the original image (after its EXIF rotation).
* ``a_from_b`` maps coordinates of frame b to frame a; ``cam_from_world`` is x_cam = R x_world + t,
  with the camera looking along +z.
* Image names are POSIX paths relative to the image root, unique as whole paths.

They stand in one file, longer than others: most files use several of them, and readers look up
their shapes, units and frames here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hloc_lite.display import html_table, numbers_text
from hloc_lite.errors import ShapeError

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

UNKNOWN_LABEL = 255
"""Label of a pixel or landmark of unknown class."""
NO_POINT = -1
"""``point3D_idxs`` entry of a keypoint that observes no 3D point."""


def frozen_array(
    value: npt.ArrayLike, dtype: npt.DTypeLike, shape: tuple[int | None, ...], name: str
) -> npt.NDArray[np.generic]:
    """Return a read-only array of a given dtype and shape; ``None`` in ``shape`` fits any length.

    Raises:
        ShapeError: if the shape differs or the values are no numbers.
    """
    try:
        array = np.array(value, dtype=dtype, copy=None)
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"{name}: expected an array of {np.dtype(dtype)}: {error}") from None
    fits = array.shape == shape or (
        len(array.shape) == len(shape)
        and all(want is None or got == want for got, want in zip(array.shape, shape, strict=True))
    )
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise ShapeError(f"{name}: expected shape {wanted}, got {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view


def freeze_field(owner: object, name: str, dtype: npt.DTypeLike, *shape: int | None) -> None:
    """Replace an array field of a frozen dataclass by its checked, read-only form.

    Raises:
        ShapeError: see ``frozen_array``.
    """
    label = f"{type(owner).__name__}.{name}"
    object.__setattr__(owner, name, frozen_array(getattr(owner, name), dtype, shape, label))


def _number(value: object) -> float:
    """A number as float; NaN for anything else."""
    return float(value) if isinstance(value, int | float | np.number) else np.nan


@dataclass(frozen=True, eq=False)
class Rigid3:
    """Rigid transform x_in_a = rotation @ x_in_b + translation; named ``a_from_b``."""

    rotation: Float64
    """(3, 3), orthonormal."""
    translation: Float64
    """(3,), map units, in frame a."""

    def __post_init__(self) -> None:
        freeze_field(self, "rotation", np.float64, 3, 3)
        freeze_field(self, "translation", np.float64, 3)

    def __repr__(self) -> str:
        cos = np.clip((np.trace(self.rotation) - 1) / 2, -1, 1)
        return (
            f"Rigid3(angle={np.degrees(np.arccos(cos)):.4g} deg, "
            f"translation={numbers_text(self.translation)}, center={numbers_text(self.center)})"
        )

    def _repr_html_(self) -> str:
        return html_table("a_from_b, map units", dict(zip("xyz1", _matrix_rows(self), strict=True)))

    @classmethod
    def identity(cls) -> Rigid3:
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def from_matrix(cls, a_from_b: npt.ArrayLike) -> Rigid3:
        """``a_from_b`` of a (4, 4) or (3, 4) matrix [R | t].

        Raises:
            ShapeError: another shape or last row, or R is no rotation (by 1e-6).
        """
        matrix = np.asarray(a_from_b, np.float64)
        if matrix.shape not in ((3, 4), (4, 4)):
            raise ShapeError(f"Rigid3.from_matrix: expected (4, 4) or (3, 4), got {matrix.shape}")
        if not np.array_equal(matrix[3:], np.eye(4)[3 : len(matrix)]):
            raise ShapeError(f"Rigid3.from_matrix: expected a last row 0 0 0 1, got {matrix[3]}")
        rotation = matrix[:3, :3]
        is_rotation = np.allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=1e-6)
        if not is_rotation or np.linalg.det(rotation) < 0:
            raise ShapeError("Rigid3.from_matrix: the left (3, 3) is no rotation")
        return cls(rotation, matrix[:3, 3])

    @property
    def matrix(self) -> Float64:
        """(4, 4) homogeneous matrix: (x_in_a, 1) = matrix @ (x_in_b, 1)."""
        return np.vstack([np.column_stack([self.rotation, self.translation]), [0, 0, 0, 1]])

    @property
    def is_finite(self) -> bool:
        """True if no number is NaN or infinite."""
        return bool(np.isfinite(self.rotation).all() and np.isfinite(self.translation).all())

    @classmethod
    def from_scipy(cls, rotation: Rotation, translation: npt.ArrayLike) -> Rigid3:
        """``a_from_b`` of a SciPy rotation and a (3,) translation in frame a."""
        return cls(rotation.as_matrix(), np.asarray(translation, np.float64))

    @property
    def scipy_rotation(self) -> Rotation:
        """Rotation of ``a_from_b`` as a SciPy object."""
        from scipy.spatial.transform import Rotation

        return Rotation.from_matrix(self.rotation)

    def inverse(self) -> Rigid3:
        """``b_from_a`` of this ``a_from_b``."""
        return Rigid3(self.rotation.T, -self.rotation.T @ self.translation)

    def compose(self, b_from_c: Rigid3) -> Rigid3:
        """``a_from_c``: this ``a_from_b`` after ``b_from_c``."""
        return Rigid3(
            self.rotation @ b_from_c.rotation,
            self.rotation @ b_from_c.translation + self.translation,
        )

    def apply(self, points_in_b: npt.NDArray[np.floating]) -> Float64:
        """(..., 3) points of frame b in frame a."""
        return np.asarray(points_in_b, np.float64) @ self.rotation.T + self.translation

    @property
    def center(self) -> Float64:
        """(3,) origin of frame a in frame b: the camera centre for ``cam_from_world``."""
        return -self.rotation.T @ self.translation


def _matrix_rows(a_from_b: Rigid3) -> list[str]:
    return [numbers_text(row) for row in a_from_b.matrix]


@dataclass(frozen=True, eq=False)
class Camera:
    """Camera intrinsics, in COLMAP's models and parameter order."""

    model: str
    """COLMAP's name, e.g. ``SIMPLE_RADIAL`` (see ``geometry.cameras.CAMERA_MODELS``)."""
    width: int
    height: int
    params: Float64
    """(P,), in COLMAP's order for the model; focal lengths and principal point in pixels."""
    has_prior_focal: bool = True
    """False if the focal length is only a guess, to be refined."""

    def __post_init__(self) -> None:
        freeze_field(self, "params", np.float64, None)
        for side in ("width", "height"):
            value = getattr(self, side)
            if not isinstance(value, int | float | np.integer) or value % 1 != 0:
                raise ShapeError(f"Camera.{side}: expected whole pixels, got {value!r}")
            object.__setattr__(self, side, int(value))
        if self.width <= 0 or self.height <= 0:
            raise ShapeError(f"Camera: size must be positive, got {self.width} x {self.height}")

    def __repr__(self) -> str:
        guess = "" if self.has_prior_focal else ", focal length guessed"
        size = f"{self.width} x {self.height}"
        return f"Camera({self.model}, {size}, {numbers_text(self.params)}{guess})"

    def _repr_html_(self) -> str:
        rows = {
            "model": self.model,
            "width, height": f"{self.width} x {self.height} px",
            "params": numbers_text(self.params),
            "focal length": "known" if self.has_prior_focal else "guessed",
        }
        return html_table("Camera", rows)


@dataclass(frozen=True, eq=False)
class Photo:
    """Decoded image, upright after its EXIF rotation."""

    name: str
    pixels: UInt8
    """(H, W, 3) RGB."""
    mask: Bool | None = None
    """(H, W), False where features are ignored."""
    exif: Mapping[str, float | str] = field(default_factory=dict)
    """EXIF data about the camera: any of ``focal_px``, ``make``, ``model``, ``focal_mm``; and
    ``orientation`` (2 to 8) if the photo was turned upright by it."""
    file_hash: str | None = None
    """16 hex digits that identify the file that the image was read from; None if unknown."""

    def __post_init__(self) -> None:
        if np.asarray(self.pixels).dtype != np.uint8:  # values in 0..1 would silently become black
            raise ShapeError(f"Photo.pixels: expected uint8, got {np.asarray(self.pixels).dtype}")
        freeze_field(self, "pixels", np.uint8, None, None, 3)
        if self.mask is not None:
            freeze_field(self, "mask", np.bool_, *self.pixels.shape[:2])
        for name in ("pixels", "mask"):
            array = getattr(self, name)
            if array is None:
                continue
            # torch refuses negative strides, which contiguous arrays of one row or column may have
            if not array.flags.c_contiguous or min(array.strides) < 0:
                array = array.copy()
                array.flags.writeable = False
                object.__setattr__(self, name, array)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True, eq=False)
class LocalFeatures:
    """N keypoints of an image and their descriptors, highest score first."""

    keypoints: Float32
    """(N, 2) x, y in pixels of the original image; never in half precision."""
    descriptors: Float32
    """(N, D) unit rows; stored as float16, compared in float32."""
    scores: Float32
    """(N,) detection scores; their scale depends on the extractor."""
    image_size: tuple[int, int]
    """(width, height) of the original image, pixels."""
    scales: Float32 | None = None
    """(N,) keypoint diameters in pixels, if the detector provides them (SIFT)."""
    orientations_rad: Float32 | None = None
    """(N,) keypoint orientations, if the detector provides them."""

    def __post_init__(self) -> None:
        freeze_field(self, "keypoints", np.float32, None, 2)
        n = len(self.keypoints)
        freeze_field(self, "descriptors", np.float32, n, None)
        freeze_field(self, "scores", np.float32, n)
        for name in ("scales", "orientations_rad"):
            if getattr(self, name) is not None:
                freeze_field(self, name, np.float32, n)

    def __len__(self) -> int:
        return len(self.keypoints)

    def subset(self, selection: npt.NDArray[np.generic]) -> LocalFeatures:
        """Return the rows that a mask or index array selects."""
        scales, orientations = self.scales, self.orientations_rad
        return LocalFeatures(
            self.keypoints[selection],
            self.descriptors[selection],
            self.scores[selection],
            self.image_size,
            None if scales is None else scales[selection],
            None if orientations is None else orientations[selection],
        )


@dataclass(frozen=True, eq=False)
class Matches:
    """K matches between two sets of local features."""

    indices: Int32
    """(K, 2) index into the first and into the second set; no -1, each index at most once."""
    scores: Float32
    """(K,) matcher scores in [0, 1]."""

    def __post_init__(self) -> None:
        freeze_field(self, "indices", np.int32, None, 2)
        freeze_field(self, "scores", np.float32, len(self.indices))

    def __len__(self) -> int:
        return len(self.indices)

    @classmethod
    def empty(cls) -> Matches:
        return cls(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class PairMatches:
    """K matches between two photos with keypoints of their own, as dense matchers give them."""

    keypoints0: Float32
    """(K, 2) x, y in pixels of the first original photo; row k matches row k of ``keypoints1``."""
    keypoints1: Float32
    """(K, 2) in pixels of the second."""
    scores: Float32
    """(K,) in [0, 1]."""
    image_size0: tuple[int, int]
    """(width, height) of the first original photo, pixels."""
    image_size1: tuple[int, int]
    """(width, height) of the second."""

    def __post_init__(self) -> None:
        freeze_field(self, "keypoints0", np.float32, None, 2)
        freeze_field(self, "keypoints1", np.float32, len(self.keypoints0), 2)
        freeze_field(self, "scores", np.float32, len(self.keypoints0))

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class RetrievalHits:
    """The k most similar map images, best first; ties are ordered by name."""

    names: tuple[str, ...]
    similarities: Float32
    """(k,) cosine similarities."""

    def __post_init__(self) -> None:
        freeze_field(self, "similarities", np.float32, len(self.names))

    def subset(self, rows: npt.ArrayLike) -> RetrievalHits:
        """Hits of (K,) rows, in that order."""
        chosen = np.asarray(rows, np.int64)
        return RetrievalHits(tuple(self.names[row] for row in chosen), self.similarities[chosen])

    def first(self, count: int) -> RetrievalHits:
        """The best ``count`` hits."""
        return RetrievalHits(self.names[:count], self.similarities[:count])


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Semantic labels of an image, possibly at a lower resolution."""

    labels: UInt8
    """(h, w) Cityscapes train ids 0..18, or ``UNKNOWN_LABEL``."""
    image_size: tuple[int, int]
    """(width, height) of the original image, pixels."""

    def __post_init__(self) -> None:
        freeze_field(self, "labels", np.uint8, None, None)


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Depths of an image, possibly at a lower resolution."""

    depths: Float32
    """(h, w) depths along the optical axis; NaN where unknown, and at edges."""
    image_size: tuple[int, int]
    """(width, height) of the original image, pixels."""
    is_metric: bool = True
    """True if depths are in map units; False if up to an unknown scale and shift."""
    is_inverse: bool = False
    """True if the values are inverse depths, up to scale and shift; never metric."""

    def __post_init__(self) -> None:
        freeze_field(self, "depths", np.float32, None, None)
        if self.is_inverse and self.is_metric:
            raise ShapeError("DepthMap: inverse depths are never metric; pass is_metric=False")


@dataclass(frozen=True, eq=False)
class Surface:
    """Coloured points or triangles of a place, in world coordinates."""

    xyz: Float32
    """(V, 3) world coordinates, map units."""
    rgb: UInt8
    """(V, 3)."""
    normals: Float32 | None = None
    """(V, 3) unit vectors, towards the cameras or scanners that saw the points."""
    radii: Float32 | None = None
    """(V,) half the distance between neighbouring points, map units: the size of a splat."""
    triangles: Int32 | None = None
    """(T, 3) rows of the vertices, counter-clockwise as seen from outside; None for points."""

    def __post_init__(self) -> None:
        freeze_field(self, "xyz", np.float32, None, 3)
        v = len(self.xyz)
        freeze_field(self, "rgb", np.uint8, v, 3)
        if self.normals is not None:
            freeze_field(self, "normals", np.float32, v, 3)
        if self.radii is not None:
            freeze_field(self, "radii", np.float32, v)
        if self.triangles is not None:
            freeze_field(self, "triangles", np.int32, None, 3)
            triangles = self.triangles
            if triangles.size and not 0 <= triangles.min() <= triangles.max() < v:
                raise ShapeError(
                    f"Surface.triangles: expected rows of {v} vertices, got "
                    f"{triangles.min()} to {triangles.max()}"
                )

    def __len__(self) -> int:
        return len(self.xyz)

    def __repr__(self) -> str:
        faces = "" if self.triangles is None else f", {len(self.triangles)} triangles"
        return f"Surface({len(self)} points{faces})"

    def subset(self, selection: npt.NDArray[np.generic] | slice) -> Surface:
        """Points that a mask, an index array or a slice selects; triangles are left out."""
        return Surface(
            self.xyz[selection],
            self.rgb[selection],
            None if self.normals is None else self.normals[selection],
            None if self.radii is None else self.radii[selection],
        )


@dataclass(frozen=True, eq=False)
class RenderedView:
    """View of a surface from a camera, as it would be photographed."""

    rgb: UInt8
    """(H, W, 3); 0 where nothing is seen."""
    depth: Float32
    """(H, W) depth along the optical axis, map units; NaN where nothing is seen."""
    mask: Bool
    """(H, W) True where the surface is seen."""
    normals: Float32 | None = None
    """(H, W, 3) unit normals in the camera frame, NaN where nothing is seen; None if unknown."""

    def __post_init__(self) -> None:
        freeze_field(self, "rgb", np.uint8, None, None, 3)
        size = self.rgb.shape[:2]
        freeze_field(self, "depth", np.float32, *size)
        freeze_field(self, "mask", np.bool_, *size)
        if self.normals is not None:
            freeze_field(self, "normals", np.float32, *size, 3)

    @property
    def coverage(self) -> float:
        """Share of the pixels where the surface is seen."""
        return float(self.mask.mean())


@dataclass(frozen=True, eq=False)
class ViewComparison:
    """Comparison of a photo with the view of the map's surface at one location."""

    cam_from_world: Rigid3
    """Pose that the surface was rendered at."""
    agreement: float
    """Probability that a place in the photo resembles the same place in the view more than another:
    0.5 by chance, 1 if all do. NaN if the surface fills too little of the view."""
    inverse_distance: float
    """Inverse of the median distance of dense descriptors (DensePV, Taira 2018); NaN likewise."""
    valid_share: float
    """Share of the view that the surface fills."""
    score: float = 0.0
    """Score of the location by its inliers."""


@dataclass(frozen=True, eq=False)
class PutativeMatches:
    """R matches of a query's keypoints with 3D points, each found through a retrieved image.

    Several images may give the same (keypoint, point) pair.
    """

    keypoint_idxs: Int64
    """(R,) rows of the query's features."""
    point3D_idxs: Int64
    """(R,) identity of each 3D point within its map."""
    hit_idxs: Int64
    """(R,) retrieved image of each match, an index into ``RetrievalHits.names``."""
    scores: Float32
    """(R,) matcher scores in [0, 1]."""
    xyz: Float64
    """(R, 3) world coordinates of the points, map units."""

    def __post_init__(self) -> None:
        freeze_field(self, "keypoint_idxs", np.int64, None)
        r = len(self.keypoint_idxs)
        freeze_field(self, "point3D_idxs", np.int64, r)
        freeze_field(self, "hit_idxs", np.int64, r)
        freeze_field(self, "scores", np.float32, r)
        freeze_field(self, "xyz", np.float64, r, 3)

    def __len__(self) -> int:
        return len(self.keypoint_idxs)

    def subset(self, selection: npt.NDArray[np.generic]) -> PutativeMatches:
        """Return the rows that a mask or index array selects."""
        return PutativeMatches(
            self.keypoint_idxs[selection],
            self.point3D_idxs[selection],
            self.hit_idxs[selection],
            self.scores[selection],
            self.xyz[selection],
        )


@dataclass(frozen=True, eq=False)
class Cue:
    """Agreement of R matches with one source of information, such as labels or depth."""

    name: str
    factors: Float64
    """(R,) in [0, 1], how plausible each match is by this cue alone; 1 where it is unknown."""
    touched: Bool
    """(R,) True where the cue is known."""
    exponent: float | None = None
    """Exponent of the factors in a match's weight; None for that of the config."""

    def __post_init__(self) -> None:
        freeze_field(self, "factors", np.float64, None)
        freeze_field(self, "touched", np.bool_, len(self.factors))

    def subset(self, selection: npt.NDArray[np.generic]) -> Cue:
        """Return the rows that a mask or index array selects."""
        return replace(self, factors=self.factors[selection], touched=self.touched[selection])


@dataclass(frozen=True, eq=False)
class Correspondences:
    """K 2D-3D correspondences; each (keypoint, point) pair occurs at most once."""

    points2D: Float64
    """(K, 2) pixels."""
    points3D: Float64
    """(K, 3) world, map units."""
    keypoint_idxs: Int64
    """(K,) indices into the query's features."""
    point3D_idxs: Int64
    """(K,) indices into the map's points."""
    weights: Float64
    """(K,) >= 0, used by RANSAC; all ones without cues."""
    bound_factors: Float64 | None = None
    """(K,) > 0, relative inlier bounds; None: all equal."""
    noise_axes: Float64 | None = None
    """(K, 3) one standard deviation of ``points3D`` along the direction in which each is least
    certain, world, map units; None: exact, or unknown."""

    def __post_init__(self) -> None:
        freeze_field(self, "points2D", np.float64, None, 2)
        k = len(self.points2D)
        freeze_field(self, "points3D", np.float64, k, 3)
        freeze_field(self, "keypoint_idxs", np.int64, k)
        freeze_field(self, "point3D_idxs", np.int64, k)
        freeze_field(self, "weights", np.float64, k)
        if self.bound_factors is not None:
            freeze_field(self, "bound_factors", np.float64, k)
        if self.noise_axes is not None:
            freeze_field(self, "noise_axes", np.float64, k, 3)

    def __len__(self) -> int:
        return len(self.points2D)

    def subset(self, selection: npt.NDArray[np.generic]) -> Correspondences:
        """Rows that a mask or index array selects."""
        return Correspondences(
            self.points2D[selection],
            self.points3D[selection],
            self.keypoint_idxs[selection],
            self.point3D_idxs[selection],
            self.weights[selection],
            None if self.bound_factors is None else self.bound_factors[selection],
            None if self.noise_axes is None else self.noise_axes[selection],
        )


@dataclass(frozen=True, eq=False)
class Prior:
    """Prior knowledge of a query camera's pose; fields that are None are unknown."""

    position: Float64 | None = None
    """(3,) approximate position of the camera, world, map units."""
    radius: float = 0.0
    """Largest distance of the camera from ``position``, map units."""
    gravity_in_cam: Float64 | None = None
    """(3,) direction of gravity (down) in the camera frame, any length."""
    gravity_in_world: Float64 | None = None
    """(3,) direction of gravity (down) in the map; None: from its georeference."""
    gravity_tolerance_deg: float = 10.0
    """Tolerance of gravity; accelerometers of phones err by 1 to 2 degrees, by more in motion."""
    heights: tuple[float, float] | None = None
    """Lowest and highest height of the camera above the map's origin, against gravity: a floor."""

    def __post_init__(self) -> None:
        for name in ("position", "gravity_in_cam", "gravity_in_world"):
            if getattr(self, name) is not None:
                freeze_field(self, name, np.float64, 3)
                with np.errstate(over="ignore"):  # an infinite length is refused below
                    length = np.linalg.norm(getattr(self, name))
                if not np.isfinite(length):
                    raise ShapeError(f"Prior.{name}: expected finite numbers")
                if name != "position" and not length > 0:
                    raise ShapeError(f"Prior.{name}: expected a direction, got a length of 0")
        if self.position is not None and not 0 < _number(self.radius) < np.inf:
            raise ShapeError(f"Prior.radius: expected a length above 0, got {self.radius}")
        if not 0 <= _number(self.gravity_tolerance_deg) < np.inf:
            raise ShapeError(
                f"Prior.gravity_tolerance_deg: expected an angle, got {self.gravity_tolerance_deg}"
            )
        if self.heights is not None:
            freeze_field(self, "heights", np.float64, 2)
            low, high = np.asarray(self.heights).tolist()
            object.__setattr__(self, "heights", (low, high))
            if not low <= high:
                raise ShapeError(f"Prior.heights: expected least and greatest, got {low}, {high}")


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """Result of a pose estimator."""

    cam_from_world: Rigid3
    inlier_mask: Bool
    """(K,) mask over the given correspondences."""
    num_trials: int
    """Number of minimal samples drawn; 0 if unknown."""
    covariance: Float64 | None
    """(6, 6) of (rotation vector in rad, translation in map units), both as a left perturbation in
    the camera frame: cam_from_world_true = exp(d) cam_from_world. None if not determined."""
    camera: Camera
    """Camera used; its focal length differs from the given one if it was estimated."""

    def __post_init__(self) -> None:
        freeze_field(self, "inlier_mask", np.bool_, None)
        if self.covariance is not None:
            freeze_field(self, "covariance", np.float64, 6, 6)

    @property
    def num_inliers(self) -> int:
        return int(self.inlier_mask.sum())


@dataclass(frozen=True, eq=False)
class RigCamera:
    """Camera of a rig."""

    camera: Camera
    cam_from_rig: Rigid3
    """Extrinsics, in map units."""


@dataclass(frozen=True, eq=False)
class Rig:
    """Rigidly mounted cameras; their fields of view need not overlap."""

    cameras: tuple[RigCamera, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(self.cameras))
        if not self.cameras:
            raise ShapeError("Rig: needs at least one camera")

    def __len__(self) -> int:
        return len(self.cameras)

    def cams_from_world(self, rig_from_world: Rigid3) -> tuple[Rigid3, ...]:
        """Pose of each camera, given the pose of the rig."""
        return tuple(each.cam_from_rig.compose(rig_from_world) for each in self.cameras)


@dataclass(frozen=True, eq=False)
class RigPoseEstimate:
    """Result of a rig estimator."""

    rig_from_world: Rigid3
    inlier_masks: tuple[Bool, ...]
    """For each camera, (K_c,) mask over its given correspondences."""
    num_trials: int
    """Number of minimal samples drawn; 0 if unknown."""
    covariance: Float64 | None
    """(6, 6) of (rotation vector in rad, translation in map units), both as a left perturbation in
    the rig frame: rig_from_world_true = exp(d) rig_from_world. None if not determined."""

    def __post_init__(self) -> None:
        masks = [
            frozen_array(mask, np.bool_, (None,), "RigPoseEstimate.inlier_masks")
            for mask in self.inlier_masks
        ]
        object.__setattr__(self, "inlier_masks", tuple(masks))
        if self.covariance is not None:
            freeze_field(self, "covariance", np.float64, 6, 6)

    @property
    def num_inliers(self) -> int:
        return sum(int(mask.sum()) for mask in self.inlier_masks)


class Status(StrEnum):
    """Outcome of a query."""

    LOCALIZED = auto()
    UNREADABLE = auto()
    """The image could not be decoded, or its intrinsics are invalid."""
    NO_RETRIEVAL = auto()
    """No map image was retrieved."""
    TOO_FEW_MATCHES = auto()
    NO_POSE = auto()
    """No pose has enough inliers among the matches."""
    DOUBTFUL = auto()
    """The confidence in the pose is below ``confidence.min_confidence``."""


@dataclass(frozen=True, eq=False)
class LocalizationResult:
    """Result of a query; ``pose`` is set if and only if ``status`` is LOCALIZED."""

    query_name: str
    status: Status
    reason: str
    """Explanation of the status, one sentence for people."""
    pose: PoseEstimate | None
    correspondences: Correspondences | None
    """2D-3D correspondences from which the pose was estimated, of the selected cluster."""
    features: LocalFeatures | None
    hits: RetrievalHits
    counts: Mapping[str, int]
    """Numbers of keypoints, retrieved images, clusters, matches, correspondences, inliers, ..."""
    timings_ms: Mapping[str, float]
    """Wall time of each stage."""
    fallback: Rigid3 | None = None
    """Pose of the best retrieved image, if requested and not localized; never ``pose``."""
    fallback_name: str | None = None
    """Name of that image."""
    ambiguity: float | None = None
    """Score of the best pose at another location over that of the pose: near 1 both are equally
    likely. 0 if there is no other location; None without a pose."""
    confidence: float | None = None
    """Calibrated probability that the pose is correct, also for DOUBTFUL; None if there is no pose
    or it is disabled."""
    grounds: Mapping[str, float] = field(default_factory=dict)
    """Pose-quality features that ``confidence`` was computed from (``pose.quality``)."""
    cues: tuple[Cue, ...] = ()
    """Cues of the correspondences, by source."""
    skipped: tuple[str, ...] = ()
    """Steps that were skipped because of the time limit, and might have improved the pose."""
    peak_memory_mb: float | None = None
    """Peak resident memory of the process so far; None if the system does not report it."""
    min_confidence: float | None = None
    """Least confidence of a pose that is given (above 1: none is); None if it was not judged."""
    max_wrong: float | None = None
    """Share of the given answers that may be wrong, as promised; None without a promise."""
    promise: str = ""
    """The promise and its grounds, one sentence for people; empty without a promise."""
    views: tuple[ViewComparison, ...] = ()
    """Comparisons with views of the map's surface, that of ``pose`` first; empty without."""

    def __repr__(self) -> str:
        facts = ", ".join(f"{key} {value}" for key, value in self._facts().items())
        return f"LocalizationResult({self.query_name!r}: {facts})"

    def _repr_html_(self) -> str:
        return html_table(self.query_name, {**self._facts(), "reason": self.reason})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values of the result, as in the files of ``hloc-lite localize --jsonl``.

        Features, correspondences and cues are left out.
        """
        from hloc_lite import result_to_json

        return dict(result_to_json(self))

    def _facts(self) -> dict[str, str]:
        facts = {"status": str(self.status)}
        if self.confidence is not None:
            facts["confidence"] = f"{self.confidence:.2f}"
        if self.pose is not None:
            facts["inliers"] = f"{self.pose.num_inliers} of {len(self.pose.inlier_mask)}"
            facts["center"] = numbers_text(self.pose.cam_from_world.center)
        return facts


@dataclass(frozen=True, eq=False)
class RigLocalizationResult:
    """Result of a rig query; ``pose`` is set if and only if ``status`` is LOCALIZED."""

    query_names: tuple[str, ...]
    status: Status
    reason: str
    """Explanation of the status, one sentence for people."""
    pose: RigPoseEstimate | None
    correspondences: tuple[Correspondences, ...]
    """Correspondences of each camera; empty if its photo could not be read."""
    unreadable: Mapping[str, str]
    """Reason for each photo that could not be read, by name."""
    timings_ms: Mapping[str, float]
    """Wall time of each stage, for all photos together."""
    contradictions: Mapping[str, str] = field(default_factory=dict)
    """Sentence on each photo that agrees with another pose instead of the rig's, by name: its
    mounting or intrinsics are likely wrong, and so is the pose of its camera."""
