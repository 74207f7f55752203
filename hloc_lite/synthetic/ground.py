"""Ground of a town: carriageways with markings, sidewalks with kerbs, the park's lawn."""

from __future__ import annotations

import cv2
import numpy as np

from hloc_lite.synthetic import labels
from hloc_lite.synthetic.atlas import PATCH_NEUTRAL
from hloc_lite.synthetic.layout import KERB_M, SIDEWALK_M, Frontage, Plan, Street
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import MeshBuilder, TextureFrame
from hloc_lite.synthetic.paint import scale_polygon, to_patch
from hloc_lite.synthetic.tiles import fractal_noise
from hloc_lite.types import Float64, UInt8

MARGIN_M = 14.0
CELL_M = 2.5
TEXELS_PER_M = 24.0


def extent(plan: Plan) -> tuple[Float64, Float64]:
    """(2,) lower and (2,) upper corner of the ground, world."""
    nodes = np.stack(list(plan.nodes.values()))
    return nodes.min(axis=0) - MARGIN_M, nodes.max(axis=0) + MARGIN_M


def build_ground(mesh: MeshBuilder, library: Library, plan: Plan, detail: float) -> TextureFrame:
    """Add carriageways, sidewalks and kerbs; returns the frame of their common patch."""
    low, high = extent(plan)
    patch = mesh.atlas.add_patch(_paint_ground(plan, low, high, detail * TEXELS_PER_M))
    size = high - low
    frame = TextureFrame(patch, np.array([low[0], high[1], 0.0]), float(size[0]), float(size[1]))
    counts = np.ceil(size / CELL_M).astype(int)
    xs = np.linspace(low[0], high[0], counts[0] + 1)
    ys = np.linspace(low[1], high[1], counts[1] + 1)
    asphalt = library["asphalt"].tinted(0.47, 0.465, 0.46)
    _add_sheet(mesh, plan, np.stack(np.meshgrid(xs, ys), axis=-1), 0.0, asphalt, labels.ROAD, frame)
    cobbles = library["cobbles"].tinted(0.85, 0.83, 0.8)
    for street in plan.streets:
        if street.cobbled:
            strip = _carriageway(street)
            _add_sheet(mesh, plan, strip, 0.02, cobbles, labels.ROAD, frame)
    for index, frontage in enumerate(plan.frontages):
        _add_sidewalk(mesh, library, plan, frontage, frame, index)
    return frame


def build_lawn(
    mesh: MeshBuilder, library: Library, plan: Plan, frame: TextureFrame, tint: tuple[float, ...]
) -> None:
    """Add the lawn of the park."""
    a, b, c, d = plan.park
    u, v = np.linspace(0, 1, 15)[None, :, None], np.linspace(0, 1, 13)[:, None, None]
    grid = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
    _add_sheet(
        mesh, plan, grid, KERB_M + 0.02, library["grass"].tinted(*tint), labels.TERRAIN, frame
    )


def _add_sheet(mesh, plan, grid, lift, material, label, frame) -> None:  # type: ignore[no-untyped-def]
    """Add triangles over a (rows, columns, 2) grid of ground points."""
    points = np.concatenate([grid, plan.ground(grid)[..., None] + lift], axis=-1)
    a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], 2), np.stack([a, c, d], 2)])
    mesh.triangles(faces.reshape(-1, 3, 3), material, label, frame=frame, planar=True)


def _carriageway(street: Street) -> Float64:
    trim = 6.5
    along = np.linspace(trim, street.length - trim, 18)[None, :, None]
    across = np.linspace(-1, 1, 4)[:, None, None] * (street.carriageway_half_width - 0.05)
    return street.start + along * street.direction + across * street.left


def _add_sidewalk(
    mesh: MeshBuilder,
    library: Library,
    plan: Plan,
    front: Frontage,
    frame: TextureFrame,
    index: int,
) -> None:
    rng = np.random.default_rng([plan.seed, 20, index])
    steps = max(2, int(front.length / 2.0))
    t = np.linspace(0, 1, steps + 1)[:, None]
    kerb = front.kerb_start + t * (front.kerb_end - front.kerb_start)
    inner = front.start + t * (front.end - front.start) - 0.4 * front.outward
    tone = rng.uniform(0.45, 0.75)
    name = ("paving", "paving", "asphalt", "cobbles")[rng.integers(4)]
    material = library[name].tinted(tone, tone, tone * 0.97)
    _add_sheet(mesh, plan, np.stack([kerb, inner]), KERB_M, material, labels.SIDEWALK, frame)
    edge = np.column_stack([kerb, plan.ground(kerb) + KERB_M])
    stone = library["stone"].tinted(0.8, 0.8, 0.8)
    drop = np.array([[0, 0, -KERB_M - 0.2]])
    offsets = np.column_stack([np.arange(steps) * 97.0, np.zeros(steps)])
    mesh.quads(edge[:-1], np.diff(edge, axis=0), drop, stone, labels.SIDEWALK, offset=offsets)


def _paint_ground(plan: Plan, low: Float64, high: Float64, texels_per_m: float) -> UInt8:
    """(h, w, 3) patch values with stains, repairs, cracks, markings and dirt along the walls."""
    rng = np.random.default_rng([plan.seed, 21])
    size = np.ceil((high - low) * texels_per_m).astype(int)
    shape = (int(size[1]), int(size[0]))
    gray = 1 + 0.17 * fractal_noise(rng, shape, 30, 7, 0.75)

    def pixels(points: Float64) -> np.ndarray:
        flipped = np.stack([points[..., 0] - low[0], high[1] - points[..., 1]], axis=-1)
        return np.round(flipped * texels_per_m).astype(np.int32)

    for _ in range(int((high - low).prod() / 7)):  # repairs and stains
        centre = rng.uniform(low, high)
        angle, extent_m = rng.uniform(0, np.pi), rng.uniform(0.15, 1.5, 2)
        tone = float(rng.uniform(0.7, 1.2))
        if rng.random() < 0.55:
            corners = cv2.boxPoints(((0, 0), tuple(extent_m), float(np.degrees(angle))))
            shape_px = pixels(centre + corners)
        else:
            turn = np.linspace(0, 2 * np.pi, 12)[:, None]
            radius = extent_m.min() * rng.uniform(0.5, 1, 12)[:, None] / 2
            shape_px = pixels(centre + radius * np.hstack([np.cos(turn), np.sin(turn)]))
        scale_polygon(gray, shape_px, tone)
    for _ in range(int((high - low).prod() / 25)):  # cracks, tar seams
        steps = rng.normal(0, 0.35, (14, 2)) + rng.normal(0, 0.25, 2)
        path = np.cumsum(steps, axis=0) + rng.uniform(low, high)
        value = float(rng.choice([0.5, 0.62, 1.2]))
        cv2.polylines(gray, [pixels(path)], False, value, int(rng.integers(1, 3)), cv2.LINE_AA)
    shade = np.ones(shape, np.float32)
    for front in plan.frontages:
        wall = pixels(np.stack([front.start, front.end]))
        cv2.line(shade, tuple(wall[0]), tuple(wall[1]), 0.45, int(0.5 * texels_per_m))
        kerb = pixels(np.stack([front.kerb_start, front.kerb_end]))
        cv2.line(shade, tuple(kerb[0]), tuple(kerb[1]), 0.55, int(0.2 * texels_per_m))
    gray *= cv2.GaussianBlur(shade, (0, 0), 0.16 * texels_per_m)
    gray *= PATCH_NEUTRAL
    image = np.asarray(cv2.merge([to_patch(gray)] * 3), np.uint8)
    for street in plan.streets:
        _paint_markings(rng, image, street, pixels, texels_per_m)
    return image


def _paint_markings(rng, image, street, pixels, texels_per_m) -> None:  # type: ignore[no-untyped-def]
    """Paint worn zebra crossings, dashed lines and side lines, in place."""
    if street.cobbled:
        return
    ends = pixels(np.stack([street.start, street.end]))
    reach = int(8 * texels_per_m)
    corner = np.maximum(ends.min(axis=0) - reach, 0)
    far = ends.max(axis=0) + reach
    region = image[corner[1] : far[1], corner[0] : far[0]]
    mask = np.zeros(region.shape[:2], np.uint8)
    length, half = street.length, street.carriageway_half_width

    def quad(along: float, across: float, size_along: float, size_across: float) -> None:
        corners = np.array([(0, 0), (size_along, 0), (size_along, size_across), (0, size_across)])
        steps = corners + np.array([along, across])
        points = street.start + steps[:, :1] * street.direction + steps[:, 1:] * street.left
        cv2.fillConvexPoly(mask, pixels(points) - corner, 255, cv2.LINE_AA)

    if rng.random() < 0.7:
        for along in np.arange(11.5, length - 12.5, 5.0):
            quad(float(along), -0.06, 2.2, 0.12)
    for along in (7.2, length - 9.8):
        if rng.random() < 0.65:
            for across in np.arange(-half + 0.2, half - 0.4, 0.95):
                quad(float(along), float(across), 2.6, 0.5)
    for side in (-1, 1):
        if rng.random() < 0.6:
            quad(11.0, side * (half - 0.3), length - 22.0, 0.1)
    wear = np.clip(0.55 + 0.5 * fractal_noise(rng, mask.shape, 60, 3), 0, 1)
    tint = np.array([165, 165, 158]) if rng.random() < 0.8 else np.array([172, 150, 70])
    ys, xs = np.nonzero(mask)
    weight = (mask[ys, xs] / 255.0 * wear[ys, xs])[:, None]
    region[ys, xs] = region[ys, xs] * (1 - weight) + weight * tint


def add_manholes(mesh: MeshBuilder, library: Library, plan: Plan) -> None:
    """Add cast covers and drains, each with its own pattern."""
    rng = np.random.default_rng([plan.seed, 22])
    for street in plan.streets:
        for _ in range(rng.integers(3, 7)):
            along = rng.uniform(7, street.length - 7)
            across = rng.uniform(-0.8, 0.8) * street.carriageway_half_width
            if rng.random() < 0.3:
                across = rng.choice([-1, 1]) * (
                    street.half_width - rng.uniform(0.5, 1) * SIDEWALK_M
                )
            xy = street.start + along * street.direction + across * street.left
            on_walk = abs(across) > street.carriageway_half_width
            lift = (KERB_M if on_walk else 0.02) + 0.012
            size = rng.uniform(0.35, 0.75)
            image = np.full((96, 96, 3), 38, np.float32)
            for k in range(0, 96, int(rng.integers(8, 16))):
                cv2.line(image, (k, 0), (k, 96), (62, 60, 57), 3)
                if rng.random() < 0.6:
                    cv2.line(image, (0, k), (96, k), (58, 56, 53), 3)
            cv2.circle(image, (48, 48), int(rng.uniform(8, 30)), (25, 24, 23), 5)
            cv2.rectangle(image, (0, 0), (95, 95), (20, 20, 20), 5)
            patch = mesh.atlas.add_patch(to_patch(image))
            right, up = street.direction * size, street.left * size
            z = plan.ground(np.stack([xy, xy + right, xy + up]))
            corner = np.array([*xy, z[0] + lift])
            u, v = np.array([*right, z[1] - z[0]]), np.array([*up, z[2] - z[0]])
            label = labels.SIDEWALK if on_walk else labels.ROAD
            mesh.quads(corner, u, v, library["metal"], label, patch=patch)
