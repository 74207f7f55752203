"""Street furniture: trees, lamps, signs, traffic lights, fences."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic import labels, paint, patches
from hloc_lite.synthetic.layout import KERB_M, Frontage, Plan, Street
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder, TextureFrame
from hloc_lite.synthetic.shapes import LocalFrame, box, rect, tube
from hloc_lite.types import Float64


def parking_side(plan: Plan, street: Street) -> int:
    """Side of a street on which cars park, +1 or -1; photos are taken on the other side."""
    (i0, j0), (i1, j1) = street.edge
    return 1 if np.random.default_rng([plan.seed, 30, i0, j0, i1, j1]).random() < 0.5 else -1


def add_tree(
    trunk: MeshBuilder,
    leaves: MeshBuilder,
    bare: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    foot: Float64,
    height: float,
) -> None:
    """Add a trunk with boughs, its crown in summer, and its twigs and leaves in autumn."""
    bark = library["bark"].tinted(0.42, 0.36, 0.3)
    fork = foot + np.array([*rng.normal(0, 0.15, 2), height * 0.42])
    radius = 0.028 * height
    tube(trunk, foot - [0, 0, 0.3], fork, radius, bark, labels.VEGETATION,
         sides=8, end_radius=radius * 0.7)  # fmt: skip
    centres = []
    for _ in range(7):
        tip = fork + rng.normal(0, 1, 3) * np.array([0.17, 0.17, 0.08]) * height
        tip[2] = fork[2] + abs(tip[2] - fork[2]) + 0.2 * height
        tube(trunk, fork, tip, radius * 0.5, bark, labels.VEGETATION,
             sides=5, end_radius=radius * 0.15)  # fmt: skip
        for _ in range(4):
            twig = tip + rng.normal(0, 0.09, 3) * height
            tube(bare, tip, twig, radius * 0.14, bark, labels.VEGETATION, sides=3, end_radius=0.01)
        centres.append(tip)
    blobs = np.array([*centres, fork + np.array([0, 0, 0.3 * height])])
    green = np.array([0.20, 0.34, 0.09]) * rng.uniform(0.7, 1.25, 3)
    _crown(leaves, library, rng, blobs, 0.14 * height, 1700, green)
    _crown(bare, library, rng, blobs, 0.15 * height, 160, np.array([0.5, 0.28, 0.06]))


def _crown(
    mesh: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    blobs: Float64,
    spread: float,
    count: int,
    colour: Float64,
) -> None:
    centre = blobs[rng.integers(len(blobs), size=count)]
    direction = rng.normal(0, 1, (count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    reach = rng.uniform(0.45, 1.0, (count, 1))
    middle = centre + direction * reach * spread * np.array([1, 1, 0.8])
    size = rng.uniform(0.14, 0.34, (count, 1, 1))
    corners = middle[:, None] + size * rng.normal(0, 0.62, (count, 3, 3))
    depth = 0.45 + 0.55 * (reach - 0.45) / 0.55  # darker inside the crown
    tone = depth * rng.uniform(0.55, 1.5, (count, 1)) * (1 + rng.uniform(-0.15, 0.15, (count, 3)))
    offsets = rng.uniform(0, 512, (count, 2))
    mesh.triangles(corners, library["leaf"], labels.VEGETATION, tints=colour * tone, offset=offsets)


def add_lamp(mesh: MeshBuilder, library: Library, foot: Float64, towards: Float64) -> Float64:
    """Add a street lamp that leans over the carriageway; returns its (3,) light position."""
    iron = library["metal"].tinted(0.06, 0.08, 0.07)
    top = foot + np.array([0, 0, 4.9])
    tube(mesh, foot - [0, 0, 0.3], foot + np.array([0, 0, 1.0]), 0.09, iron, labels.POLE, sides=8)
    tube(mesh, foot + np.array([0, 0, 1.0]), top, 0.05, iron, labels.POLE, sides=8)
    out = np.array([*towards, 0.0])
    head = top + 0.9 * out + [0, 0, 0.15]
    tube(mesh, top, head, 0.035, iron, labels.POLE)
    local = LocalFrame.upright(head, towards)
    glow = Material(library["metal"].tile, 1.5, (0.9, 0.88, 0.8), 6.0)
    box(mesh, local, (-0.25, -0.05, -0.13), (0.3, 0.05, 0.13), iron, labels.POLE)
    box(mesh, local, (-0.22, -0.09, -0.1), (0.27, -0.051, 0.1), glow, labels.POLE)
    return head - [0, 0, 0.2]


def add_post_sign(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, foot: Float64, facing: Float64
) -> None:
    """Add a traffic sign on a post, facing along ``facing``."""
    steel = library["metal"].tinted(0.4, 0.41, 0.42)
    height = rng.uniform(2.2, 2.7)
    tube(mesh, foot - [0, 0, 0.3], foot + np.array([0, 0, height]), 0.03, steel, labels.POLE)
    local = LocalFrame.upright(foot, [-facing[1], facing[0]])
    patch = mesh.atlas.add_patch(patches.traffic_sign(rng, 96))
    size = rng.uniform(0.5, 0.65)
    plate = library["metal"]
    rect(mesh, local, -size / 2, height, size, size, plate, labels.TRAFFIC_SIGN,
         out=0.04, patch=patch)  # fmt: skip
    back = library["metal"].tinted(0.3, 0.3, 0.3)
    rect(mesh, local, -size / 2, height, size, size, back, labels.TRAFFIC_SIGN, out=0.035)


def add_traffic_light(mesh: MeshBuilder, library: Library, foot: Float64, facing: Float64) -> None:
    """Add a traffic light on a post."""
    steel = library["metal"].tinted(0.2, 0.21, 0.22)
    tube(mesh, foot - [0, 0, 0.3], foot + np.array([0, 0, 2.4]), 0.06, steel, labels.POLE, sides=8)
    local = LocalFrame.upright(foot, [-facing[1], facing[0]])
    dark = library["metal"].tinted(0.02, 0.02, 0.02)
    box(mesh, local, (-0.14, 2.4, -0.1), (0.14, 3.2, 0.12), dark, labels.TRAFFIC_LIGHT)
    for k, colour in enumerate([(0.06, 0.5, 0.2), (0.3, 0.2, 0.02), (0.35, 0.02, 0.02)]):
        lens = Material(library["metal"].tile, 1.5, colour, 2.5 if k == 0 else 0.0)
        rect(mesh, local, -0.09, 2.62 + 0.25 * k, 0.18, 0.18, lens, labels.TRAFFIC_LIGHT, out=0.125)


def add_fence(mesh: MeshBuilder, library: Library, plan: Plan, front: Frontage) -> None:
    """Add railings on a low wall that follows the ground."""
    iron = library["metal"].tinted(0.03, 0.05, 0.04)
    steps = max(2, int(front.length / 2.0))
    t = np.linspace(0, 1, steps + 1)[:, None]
    line = front.start + t * (front.end - front.start)
    z = plan.ground(line) + KERB_M
    for k in range(steps):
        span = float(np.linalg.norm(line[k + 1] - line[k]))
        base = min(z[k], z[k + 1])
        local = LocalFrame.upright([*line[k], base], front.right)
        low, high = (0.0, -0.3, -0.15), (span, 0.45, 0.15)
        box(mesh, local, low, high, library["stone"], labels.WALL, offset=(k * 131.0, 0))
        for level in (0.6, 1.5):
            box(mesh, local, (0, level, -0.02), (span, level + 0.04, 0.02), iron, labels.FENCE)
        for x in np.arange(0.06, span, 0.13):
            low, high = (float(x), 0.45, -0.01), (float(x) + 0.025, 1.62, 0.015)
            box(mesh, local, low, high, iron, labels.FENCE, faces="flrk")


def add_garden_wall(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame, width: float
) -> None:
    """Add a wall with coping along a garden."""
    height = rng.uniform(1.9, 2.5)
    tone = rng.uniform(0.6, 1.0)
    wall = library["brick" if rng.random() < 0.5 else "stone"].tinted(tone, tone, tone)
    weathering = patches.wall_weathering(paint.spawn_rng(rng), width, height + 1, 44)
    patch = mesh.atlas.add_patch(paint.to_patch(weathering))
    frame = TextureFrame(patch, local.point(0, height), width, height + 1)
    rect(mesh, local, 0, height, width, height + 1, wall, labels.WALL, frame=frame)
    rect(mesh, local, 0, height, width, height + 1, wall, labels.WALL, out=-0.3)
    low, high = (0, height, -0.35), (width, height + 0.12, 0.06)
    box(mesh, local, low, high, library["stone"], labels.WALL)


def sidewalk_point(plan: Plan, street: Street, along: float, across: float) -> Float64:
    """(3,) point on the sidewalk: metres along the street and to the left of its centre line."""
    xy = street.start + along * street.direction + across * street.left
    return np.array([*xy, float(plan.ground(xy)) + KERB_M])
