"""Moving objects of a town: parked cars and pedestrians, different in each pass."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic import labels, paint
from hloc_lite.synthetic.layout import Plan
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder
from hloc_lite.synthetic.props import parking_side, sidewalk_point
from hloc_lite.synthetic.shapes import LocalFrame, ball, box, prism, rect, tube
from hloc_lite.types import Float64, UInt8

CAR_COLOURS = (
    (0.6, 0.6, 0.62), (0.02, 0.02, 0.025), (0.25, 0.02, 0.02), (0.03, 0.06, 0.2),
    (0.75, 0.75, 0.74), (0.12, 0.13, 0.14), (0.05, 0.16, 0.1), (0.5, 0.38, 0.08),
)  # fmt: skip
"""Linear RGB."""


def add_movers(mesh: MeshBuilder, library: Library, plan: Plan, pass_idx: int) -> None:
    """Add cars along the kerbs and pedestrians on the sidewalks of one pass."""
    for number, street in enumerate(plan.streets):
        rng = np.random.default_rng([plan.seed, 32, number, pass_idx])
        side = parking_side(plan, street)
        across = side * (street.carriageway_half_width - 1.05)
        for along in np.arange(11.5, street.length - 11, 5.6):
            if rng.random() < 0.55:
                continue
            spot = along + rng.uniform(-0.5, 0.5)
            xy = street.start + spot * street.direction + across * street.left
            foot = np.array([*xy, float(plan.ground(xy))])
            heading = street.direction * (1 if rng.random() < 0.8 else -1)
            add_car(mesh, library, rng, foot, heading)
        for _ in range(rng.poisson(street.length / 14)):
            where = rng.choice([-1, 1]) * (street.half_width - rng.uniform(0.6, 1.6))
            foot = sidewalk_point(plan, street, rng.uniform(4, street.length - 4), where)
            add_pedestrian(mesh, library, rng, foot, street.direction * rng.choice([-1, 1]))


def add_car(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, foot: Float64, heading: Float64
) -> None:
    """Add a parked car centred at ``foot``."""
    body = library["metal"].tinted(*CAR_COLOURS[rng.integers(len(CAR_COLOURS))])
    glass = library["metal"].tinted(0.03, 0.035, 0.04)
    van = rng.random() < 0.2
    length, width = rng.uniform(3.9, 4.7), rng.uniform(1.66, 1.82)
    roof = 2.0 if van else rng.uniform(1.38, 1.55)
    front, back, half, waist = length / 2, -length / 2, width / 2, 0.88
    hood, rear = (0.72, back * 0.93) if van else (0.42, back * 0.72)
    local = LocalFrame.upright(foot, heading)
    hull = [
        (back, 0.35), (front, 0.35), (front, 0.62), (front * 0.95, 0.74),
        (front * 0.45, waist), (back * 0.97, waist),
    ]  # fmt: skip
    prism(mesh, local, hull, (-half, half), body, labels.CAR)
    cabin = [
        (back * 0.96, waist), (front * hood, waist), (front * (hood - 0.32), roof), (rear, roof),
    ]  # fmt: skip
    prism(mesh, local, cabin, (-half * 0.86, half * 0.86), glass, labels.CAR)
    top = [
        (rear, roof - 0.02), (front * (hood - 0.32), roof - 0.02),
        (front * (hood - 0.33), roof + 0.04), (rear, roof + 0.04),
    ]  # fmt: skip
    prism(mesh, local, top, (-half * 0.87, half * 0.87), body, labels.CAR)
    for x in (front * hood * 0.55, -0.1 * length):
        for side in (-1, 1):
            low = (x, waist, side * half * 0.875 - 0.01)
            box(mesh, local, low, (x + 0.09, roof, side * half * 0.875 + 0.01), body, labels.CAR)
    _add_wheels(mesh, library, local, (front * 0.62, back * 0.62), half)
    for x, tint in ((front, (0.9, 0.9, 0.85)), (back, (0.4, 0.02, 0.02))):  # lights
        for share in (-0.8, 0.5):
            low = (x - 0.03, 0.6, share * half)
            high = (x + 0.015, 0.72, share * half + 0.3 * half)
            box(mesh, local, low, high, library["metal"].tinted(*tint), labels.CAR)
    plate = mesh.atlas.add_patch(_number_plate(rng))
    for x, facing in ((front + 0.01, heading), (back - 0.01, -np.asarray(heading))):
        spot = LocalFrame.upright(local.point(x, 0), [-facing[1], facing[0]])
        rect(mesh, spot, -0.26, 0.52, 0.52, 0.12, library["metal"], labels.CAR, patch=plate)


def _add_wheels(
    mesh: MeshBuilder, library: Library, local: LocalFrame, axles: tuple[float, float], half: float
) -> None:
    rubber, steel = (library["metal"].tinted(grey, grey, grey) for grey in (0.015, 0.4))
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for x in axles:
        wheel = np.column_stack([x + 0.32 * np.cos(turn), 0.32 + 0.32 * np.sin(turn)])
        hub = np.column_stack([x + 0.18 * np.cos(turn), 0.32 + 0.18 * np.sin(turn)])
        for side in (-1, 1):
            near, far = sorted((side * half * 0.8, side * (half + 0.015)))
            prism(mesh, local, wheel, (near, far), rubber, labels.CAR)
            near, far = sorted((side * (half - 0.1), side * (half + 0.03)))
            prism(mesh, local, hub, (near, far), steel, labels.CAR)


def _number_plate(rng: np.random.Generator) -> UInt8:
    letters = "".join(chr(65 + int(k)) for k in rng.integers(0, 26, 2))
    text = paint.text_mask(f"{letters} {rng.integers(100, 999)}", paint.FONTS[2], 32, 128)
    return paint.to_patch(95 * (1 - text)[..., None] * np.ones(3, np.float32))


def add_pedestrian(
    mesh: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    foot: Float64,
    heading: Float64,
) -> None:
    """Add a pedestrian."""
    add_person(mesh, library["fabric"], library["fabric"], rng, foot, heading)


def add_person(
    mesh: MeshBuilder,
    cloth: Material,
    weave: Material,
    rng: np.random.Generator,
    foot: Float64,
    heading: Float64,
) -> None:
    """Add a person in trousers, skin and hair of ``cloth`` and a coat of ``weave``."""
    scale = rng.uniform(0.92, 1.08)
    local = LocalFrame.upright(foot, heading)
    legs = cloth.tinted(*(rng.uniform(0.02, 0.25) * rng.uniform(0.6, 1.2, 3)))
    coat = weave.tinted(*(rng.uniform(0.03, 0.6) * rng.uniform(0.3, 1.3, 3)))
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
    head = np.array([0.095, 0.095, 0.13]) * scale
    ball(mesh, local.point(0.02, 1.6 * scale), head, skin, labels.PERSON)
    scalp = np.array([0.1, 0.1, 0.11]) * scale
    ball(mesh, local.point(-0.02, 1.65 * scale), scalp, hair, labels.PERSON)
