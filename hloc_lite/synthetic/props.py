"""What stands in the streets: trees, lamps, signs, fences, and cars and people that move."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic import labels, paint
from hloc_lite.synthetic.layout import KERB_M, Frontage, Plan, Street
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder, TextureFrame
from hloc_lite.synthetic.shapes import LocalFrame, ball, box, prism, rect, tube
from hloc_lite.types import Float64


def parking_side(plan: Plan, street: Street) -> int:
    """+1 or -1: on which side of a street cars park; people walk and look on the other."""
    (i0, j0), (i1, j1) = street.edge
    return 1 if np.random.default_rng([plan.seed, 30, i0, j0, i1, j1]).random() < 0.5 else -1


def tree(
    trunk: MeshBuilder,
    leaves: MeshBuilder,
    bare: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    foot: Float64,
    height: float,
) -> None:
    """A trunk with boughs, its crown of leaves, and what is left of it in another season."""
    bark = library["bark"].tinted(0.42, 0.36, 0.3)
    fork = foot + np.array([*rng.normal(0, 0.15, 2), height * 0.42])
    radius = 0.028 * height
    tube(
        trunk,
        foot - [0, 0, 0.3],
        fork,
        radius,
        bark,
        labels.VEGETATION,
        sides=8,
        end_radius=radius * 0.7,
    )
    centres = []
    for _ in range(7):
        tip = fork + rng.normal(0, 1, 3) * np.array([0.17, 0.17, 0.08]) * height
        tip[2] = fork[2] + abs(tip[2] - fork[2]) + 0.2 * height
        tube(
            trunk,
            fork,
            tip,
            radius * 0.5,
            bark,
            labels.VEGETATION,
            sides=5,
            end_radius=radius * 0.15,
        )
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


def lamp(mesh: MeshBuilder, library: Library, foot: Float64, towards: Float64) -> Float64:
    """A street lamp leaning over the carriageway; returns where its light is, (3,)."""
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


def post_sign(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, foot: Float64, facing: Float64
) -> None:
    """A traffic sign on a post that faces along ``facing``."""
    steel = library["metal"].tinted(0.4, 0.41, 0.42)
    height = rng.uniform(2.2, 2.7)
    tube(mesh, foot - [0, 0, 0.3], foot + np.array([0, 0, height]), 0.03, steel, labels.POLE)
    local = LocalFrame.upright(foot, [-facing[1], facing[0]])
    patch = mesh.atlas.add_patch(paint.traffic_sign(rng, 96))
    size = rng.uniform(0.5, 0.65)
    plate = library["metal"]
    rect(
        mesh,
        local,
        -size / 2,
        height,
        size,
        size,
        plate,
        labels.TRAFFIC_SIGN,
        out=0.04,
        patch=patch,
    )
    back = library["metal"].tinted(0.3, 0.3, 0.3)
    rect(mesh, local, -size / 2, height, size, size, back, labels.TRAFFIC_SIGN, out=0.035)


def traffic_light(mesh: MeshBuilder, library: Library, foot: Float64, facing: Float64) -> None:
    """A signal on a post."""
    steel = library["metal"].tinted(0.2, 0.21, 0.22)
    tube(mesh, foot - [0, 0, 0.3], foot + np.array([0, 0, 2.4]), 0.06, steel, labels.POLE, sides=8)
    local = LocalFrame.upright(foot, [-facing[1], facing[0]])
    dark = library["metal"].tinted(0.02, 0.02, 0.02)
    box(mesh, local, (-0.14, 2.4, -0.1), (0.14, 3.2, 0.12), dark, labels.TRAFFIC_LIGHT)
    for k, colour in enumerate([(0.06, 0.5, 0.2), (0.3, 0.2, 0.02), (0.35, 0.02, 0.02)]):
        lens = Material(library["metal"].tile, 1.5, colour, 2.5 if k == 0 else 0.0)
        rect(mesh, local, -0.09, 2.62 + 0.25 * k, 0.18, 0.18, lens, labels.TRAFFIC_LIGHT, out=0.125)


def fence(mesh: MeshBuilder, library: Library, plan: Plan, front: Frontage) -> None:
    """Railings on a low wall, following the ground."""
    iron = library["metal"].tinted(0.03, 0.05, 0.04)
    steps = max(2, int(front.length / 2.0))
    t = np.linspace(0, 1, steps + 1)[:, None]
    line = front.start + t * (front.end - front.start)
    z = plan.ground(line) + KERB_M
    for k in range(steps):
        span = float(np.linalg.norm(line[k + 1] - line[k]))
        base = min(z[k], z[k + 1])
        local = LocalFrame.upright([*line[k], base], front.right)
        low = (0.0, -0.3, -0.15)
        box(
            mesh,
            local,
            low,
            (span, 0.45, 0.15),
            library["stone"],
            labels.WALL,
            offset=(k * 131.0, 0),
        )
        for level in (0.6, 1.5):
            box(mesh, local, (0, level, -0.02), (span, level + 0.04, 0.02), iron, labels.FENCE)
        for x in np.arange(0.06, span, 0.13):
            low, high = (float(x), 0.45, -0.01), (float(x) + 0.025, 1.62, 0.015)
            box(mesh, local, low, high, iron, labels.FENCE, faces="flrk")


def garden_wall(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame, width: float
) -> None:
    """A wall with coping along a garden."""
    height = rng.uniform(1.9, 2.5)
    tone = rng.uniform(0.6, 1.0)
    wall = library["brick" if rng.random() < 0.5 else "stone"].tinted(tone, tone, tone)
    patch = mesh.atlas.add_patch(
        paint.as_patch(paint.wall_weathering(paint.branch(rng), width, height + 1, 44))
    )
    frame = TextureFrame(patch, local.point(0, height), width, height + 1)
    rect(mesh, local, 0, height, width, height + 1, wall, labels.WALL, frame=frame)
    rect(mesh, local, 0, height, width, height + 1, wall, labels.WALL, out=-0.3)
    box(
        mesh, local, (0, height, -0.35), (width, height + 0.12, 0.06), library["stone"], labels.WALL
    )


def car(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, foot: Float64, heading: Float64
) -> None:
    """A parked car with its middle at ``foot``."""
    colours = [
        (0.6, 0.6, 0.62),
        (0.02, 0.02, 0.025),
        (0.25, 0.02, 0.02),
        (0.03, 0.06, 0.2),
        (0.75, 0.75, 0.74),
        (0.12, 0.13, 0.14),
        (0.05, 0.16, 0.1),
        (0.5, 0.38, 0.08),
    ]
    body = library["metal"].tinted(*colours[rng.integers(len(colours))])
    glass = library["metal"].tinted(0.03, 0.035, 0.04)
    rubber = library["metal"].tinted(0.015, 0.015, 0.015)
    van = rng.random() < 0.2
    length, width = rng.uniform(3.9, 4.7), rng.uniform(1.66, 1.82)
    roof = 2.0 if van else rng.uniform(1.38, 1.55)
    front, back = length / 2, -length / 2
    local = LocalFrame.upright(foot, heading)
    half = width / 2
    waist = 0.88
    hull = [
        (back, 0.35),
        (front, 0.35),
        (front, 0.62),
        (front * 0.95, 0.74),
        (front * 0.45, waist),
        (back * 0.97, waist),
    ]
    prism(mesh, local, hull, (-half, half), body, labels.CAR)
    hood = 0.72 if van else 0.42
    cabin = [
        (back * 0.96, waist),
        (front * hood, waist),
        (front * (hood - 0.32), roof),
        (back * (0.93 if van else 0.72), roof),
    ]
    prism(mesh, local, cabin, (-half * 0.86, half * 0.86), glass, labels.CAR)
    top = [
        (back * (0.93 if van else 0.72), roof - 0.02),
        (front * (hood - 0.32), roof - 0.02),
        (front * (hood - 0.33), roof + 0.04),
        (back * (0.93 if van else 0.72), roof + 0.04),
    ]
    prism(mesh, local, top, (-half * 0.87, half * 0.87), body, labels.CAR)
    for x in (front * hood * 0.55, -0.1 * length):
        for side in (-1, 1):
            low = (x, waist, side * half * 0.875 - 0.01)
            box(mesh, local, low, (x + 0.09, roof, side * half * 0.875 + 0.01), body, labels.CAR)
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for x in (front * 0.62, back * 0.62):
        wheel = np.column_stack([x + 0.32 * np.cos(turn), 0.32 + 0.32 * np.sin(turn)])
        hub = np.column_stack([x + 0.18 * np.cos(turn), 0.32 + 0.18 * np.sin(turn)])
        for side in (-1, 1):
            near, far = sorted((side * half * 0.8, side * (half + 0.015)))
            prism(mesh, local, wheel, (near, far), rubber, labels.CAR)
            near, far = sorted((side * (half - 0.1), side * (half + 0.03)))
            prism(mesh, local, hub, (near, far), library["metal"].tinted(0.4, 0.4, 0.4), labels.CAR)
    for x, tint in ((front, (0.9, 0.9, 0.85)), (back, (0.4, 0.02, 0.02))):
        for share in (-0.8, 0.5):
            low = (x - 0.03, 0.6, share * half)
            high = (x + 0.015, 0.72, share * half + 0.3 * half)
            box(mesh, local, low, high, library["metal"].tinted(*tint), labels.CAR)
    letters = "".join(chr(65 + int(k)) for k in rng.integers(0, 26, 2))
    plate = mesh.atlas.add_patch(
        paint.as_patch(
            95
            * (1 - paint.text_mask(f"{letters} {rng.integers(100, 999)}", paint.FONTS[2], 32, 128))[
                ..., None
            ]
            * np.ones(3, np.float32)
        )
    )
    for x, facing in ((front + 0.01, heading), (back - 0.01, -np.asarray(heading))):
        spot = LocalFrame.upright(local.point(x, 0), [-facing[1], facing[0]])
        rect(
            mesh, spot, -0.26, 0.52, 0.52, 0.12, library["metal"], labels.CAR, out=0.0, patch=plate
        )


def person(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, foot: Float64, heading: Float64
) -> None:
    """Someone walking."""
    scale = rng.uniform(0.92, 1.08)
    local = LocalFrame.upright(foot, heading)
    cloth = library["fabric"]
    legs = cloth.tinted(*(rng.uniform(0.02, 0.25) * rng.uniform(0.6, 1.2, 3)))
    coat = cloth.tinted(*(rng.uniform(0.03, 0.6) * rng.uniform(0.3, 1.3, 3)))
    skin = cloth.tinted(*(rng.uniform(0.25, 0.8) * np.array([0.9, 0.62, 0.48])))
    hair = cloth.tinted(*(rng.uniform(0.02, 0.3) * np.array([1.0, 0.8, 0.6])))
    stride = rng.uniform(0.1, 0.3)

    def limb(
        a: tuple[float, float, float], b: tuple[float, float, float], r: float, m: Material
    ) -> None:
        start, end = (local.point(*(scale * np.array(x))) for x in (a, b))
        tube(mesh, start, end, r * scale, m, labels.PERSON, sides=7, end_radius=r * 0.75 * scale)

    for side in (-1, 1):
        limb((0, 0.88, 0.09 * side), (side * stride, 0.03, 0.1 * side), 0.09, legs)
        limb((0, 1.4, 0.21 * side), (-side * stride * 0.8, 0.88, 0.25 * side), 0.055, coat)
        foot_at = local.point(*(scale * np.array([side * stride + 0.06, 0.04, 0.1 * side])))
        ball(mesh, foot_at, [0.11, 0.09, 0.05], hair, labels.PERSON, rings=3, sides=6)
    limb((0, 0.84, 0), (0, 1.3, 0), 0.19, coat)
    ball(mesh, local.point(0, 1.28 * scale), np.array([0.2, 0.2, 0.2]) * scale, coat, labels.PERSON)
    ball(
        mesh,
        local.point(0.02, 1.6 * scale),
        np.array([0.095, 0.095, 0.13]) * scale,
        skin,
        labels.PERSON,
    )
    ball(
        mesh,
        local.point(-0.02, 1.65 * scale),
        np.array([0.1, 0.1, 0.11]) * scale,
        hair,
        labels.PERSON,
    )
