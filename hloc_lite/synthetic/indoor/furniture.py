"""Furniture: desks with their things, chairs, shelves, cabinets, sofas, tables, plants.

Each piece stands at the origin of a local frame: right along its front, outward to its front.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hloc_lite.synthetic.atlas import Rect
from hloc_lite.synthetic.indoor import classes
from hloc_lite.synthetic.indoor.library import Library
from hloc_lite.synthetic.mesh import MeshBuilder
from hloc_lite.synthetic.shapes import LocalFrame, ball, box, rect, tube

F = classes.FURNITURE


def add_table(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame,
    width: float = 1.6, depth: float = 0.8,
) -> None:  # fmt: skip
    """Add a table: a board on four legs."""
    wood = rng.random() < 0.5
    name = "wood" if wood else "melamine"
    tone = np.array([0.75, 0.58, 0.4]) if wood else np.array([0.8, 0.8, 0.78])
    top = library[name].tinted(*(tone * rng.uniform(0.7, 1.1)))
    steel = library["metal"].tinted(*np.full(3, rng.uniform(0.08, 0.5)))
    a, d = width / 2, depth / 2
    offset = tuple(rng.integers(0, 512, 2).tolist())
    box(mesh, local, (-a, 0.71, -d), (a, 0.74, d), top, F, offset=offset)
    for x in (-a + 0.05, a - 0.1):
        for z in (-d + 0.05, d - 0.1):
            box(mesh, local, (x, 0, z), (x + 0.05, 0.71, z + 0.05), steel, F, faces="flrk")


def add_desk(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add a desk with drawers."""
    add_table(mesh, library, rng, local)
    grey = library["metal"].tinted(*np.full(3, rng.uniform(0.25, 0.7)))
    side = -1 if rng.random() < 0.5 else 1
    low, high = sorted((side * 0.3, side * 0.74))
    box(mesh, local, (low, 0.05, -0.3), (high, 0.66, 0.28), grey, F)
    rect(mesh, local, low, 0.66, high - low, 0.61, library["melamine"], F, out=0.283,
         patch=library.cabinets[rng.integers(len(library.cabinets))])  # fmt: skip


def add_desk_things(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add one or two monitors, a keyboard, papers, books and a mug; ``local`` is on the desk."""
    black = library["metal"].tinted(0.012, 0.012, 0.013)
    screens = rng.integers(1, 3)
    for k in range(screens):
        x = (k - (screens - 1) / 2) * 0.62 + rng.uniform(-0.05, 0.05)
        box(mesh, local, (x - 0.28, 0.12, -0.2), (x + 0.28, 0.46, -0.165), black, classes.DARK)
        rect(mesh, local, x - 0.28, 0.46, 0.56, 0.34, library["melamine"], classes.DARK, out=-0.163,
             patch=library.screens[rng.integers(len(library.screens))])  # fmt: skip
        box(mesh, local, (x - 0.03, 0, -0.23), (x + 0.03, 0.2, -0.2), black, F)
        box(mesh, local, (x - 0.12, 0, -0.28), (x + 0.12, 0.012, -0.1), black, F)
    _lay(mesh, library, local, (rng.uniform(-0.15, 0.15), 0.12), (0.44, 0.15), 0.02,
         rng.normal(0, 0.06), library.keyboard)  # fmt: skip
    for _ in range(rng.integers(1, 5)):
        spot = rng.uniform(-0.68, 0.55), rng.uniform(-0.2, 0.25)
        _lay(mesh, library, local, spot, (0.21, 0.297), 0.004 + 0.004 * rng.random(),
             rng.normal(0, 0.5), library.notes[rng.integers(len(library.notes))])  # fmt: skip
    if rng.random() < 0.7:
        at = rng.uniform(0.4, 0.7) * rng.choice([-1, 1])
        mug = library["metal"].tinted(*rng.uniform(0.1, 0.9, 3))
        foot = local.point(at, 0, 0.15)
        tube(mesh, foot, foot + np.array([0, 0, 0.1]), 0.042, mug, F, sides=10)
    for k in range(rng.integers(0, 5)):
        colour = library["melamine"].tinted(*rng.uniform(0.05, 0.8, 3))
        low = (-0.75, 0.035 * k, -0.35)
        box(mesh, local, low, (-0.53 + rng.uniform(-0.02, 0.02), 0.035 * (k + 1), -0.08), colour, F)


def _lay(
    mesh: MeshBuilder, library: Library, local: LocalFrame, spot: tuple[float, float],
    size: tuple[float, float], height: float, turn: float, patch: Rect,
) -> None:  # fmt: skip
    """Lay a printed thing flat, its top away from the front."""
    c, s = np.cos(turn), np.sin(turn)
    u, v = np.array([c, 0, s]) * size[0], np.array([-s, 0, c]) * size[1]
    corner = np.array([spot[0], height, spot[1]]) - u / 2 - v / 2
    mesh.quads(local.points(corner), local.vectors(u), local.vectors(v), library["melamine"], F,
               patch=patch)  # fmt: skip


def add_chair(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add an office chair on a star of five legs; it faces outward."""
    hue = np.array([(0.03, 0.03, 0.035), (0.05, 0.1, 0.3), (0.3, 0.04, 0.05), (0.06, 0.2, 0.1)])
    cloth = library["fabric"].tinted(*(hue[rng.integers(4)] * rng.uniform(0.8, 1.6)))
    black = library["metal"].tinted(0.02, 0.02, 0.022)
    box(mesh, local, (-0.24, 0.44, -0.23), (0.24, 0.51, 0.24), cloth, F)
    box(mesh, local, (-0.22, 0.6, -0.3), (0.22, 1.08, -0.24), cloth, F)
    box(mesh, local, (-0.03, 0.46, -0.31), (0.03, 0.7, -0.27), black, F)
    tube(mesh, local.point(0, 0.1), local.point(0, 0.44), 0.03, black, F)
    for k in range(5):
        angle = 2 * np.pi * k / 5 + 0.3
        end = local.point(0.28 * np.cos(angle), 0.07, 0.28 * np.sin(angle))
        tube(mesh, local.point(0, 0.11), end, 0.022, black, F, sides=5)
        ball(mesh, end - [0, 0, 0.04], [0.028, 0.028, 0.03], black, F, rings=3, sides=6)
    for side in (-1, 1):
        x0, x1 = sorted((side * 0.25, side * 0.3))
        box(mesh, local, (x0, 0.66, -0.14), (x1, 0.69, 0.14), black, F)
        box(mesh, local, (x0, 0.47, -0.02), (x1, 0.66, 0.03), black, F)


def add_bookcase(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add an open bookcase with five rows of books, 0.92 m wide."""
    tone = np.array([0.7, 0.55, 0.4]) * rng.uniform(0.5, 1.2)
    wood = library["wood"].tinted(*tone)
    for x in (-0.46, 0.43):
        box(mesh, local, (x, 0, -0.16), (x + 0.03, 1.95, 0.16), wood, F, faces="flrt")
    rect(mesh, local, -0.43, 1.95, 0.86, 1.95, wood, F, out=-0.15)
    for k in range(6):
        y = 0.04 + 0.38 * k
        box(mesh, local, (-0.43, y - 0.025, -0.15), (0.43, y, 0.16), wood, F, faces="ftb")
        if k == 5:
            continue
        books = library.books[rng.integers(len(library.books))]
        tall = rng.uniform(0.27, 0.33)
        out = rng.uniform(0.0, 0.1)
        share = 0.86 if rng.random() < 0.7 else rng.uniform(0.4, 0.8)
        rect(
            mesh, local, -0.43, y + tall, share, tall, library["melamine"], F, out=out, patch=books
        )
        box(mesh, local, (-0.43, y, -0.13), (-0.43 + share, y + tall * 0.7, out - 0.004),
            library["melamine"].tinted(0.35, 0.33, 0.3), F, faces="rt")  # fmt: skip


def add_cabinet(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add a closed cabinet, high or low, at times with things on it."""
    tall = 1.9 if rng.random() < 0.6 else 1.1
    grey = library["melamine"].tinted(*np.full(3, rng.uniform(0.3, 0.8)))
    box(mesh, local, (-0.45, 0, -0.2), (0.45, tall, 0.2), grey, F, faces="flrt")
    rect(mesh, local, -0.45, tall, 0.9, tall, library["melamine"], F, out=0.203,
         patch=library.cabinets[rng.integers(len(library.cabinets))])  # fmt: skip
    for _ in range(rng.integers(0, 4)):
        x, size = rng.uniform(-0.4, 0.1), rng.uniform(0.12, 0.3, 3)
        card = library["cork"].tinted(*(np.array([0.8, 0.62, 0.4]) * rng.uniform(0.6, 1.1)))
        box(
            mesh,
            local,
            (x, tall, -size[2] / 2),
            (x + size[0], tall + size[1], size[2] / 2),
            card,
            F,
        )


def add_sofa(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add a sofa for two with cushions."""
    cloth = library["check" if rng.random() < 0.4 else "fabric"]
    cloth = cloth.tinted(*(rng.uniform(0.1, 0.6) * rng.uniform(0.4, 1.4, 3)))
    box(mesh, local, (-0.8, 0.08, -0.4), (0.8, 0.42, 0.4), cloth, F)
    box(mesh, local, (-0.8, 0.42, -0.4), (0.8, 0.85, -0.2), cloth, F)
    for x in (-0.95, 0.8):
        box(mesh, local, (x, 0.08, -0.4), (x + 0.15, 0.6, 0.4), cloth, F)
    for x in (-0.6, 0.2):
        pillow = library["check"].tinted(*rng.uniform(0.1, 0.9, 3))
        box(mesh, local, (x, 0.43, -0.2), (x + 0.4, 0.78, -0.1), pillow, F)


def add_plant(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add a potted plant."""
    pot = library["metal"].tinted(*(rng.uniform(0.1, 0.6) * np.array([1.0, 0.8, 0.7])))
    tube(mesh, local.point(0, 0), local.point(0, 0.36), 0.14, pot, F, sides=12, end_radius=0.18)
    soil = library["bark"].tinted(0.08, 0.06, 0.05)
    box(mesh, local, (-0.12, 0.3, -0.12), (0.12, 0.33, 0.12), soil, F, faces="t")
    tall = rng.uniform(0.8, 1.5)
    tube(mesh, local.point(0, 0.3), local.point(0, tall * 0.8), 0.02, soil, classes.PLANT)
    count = 130
    middle = local.point(0, tall * 0.75) + rng.normal(0, 1, (count, 3)) * [0.16, 0.16, tall * 0.16]
    corners = middle[:, None] + rng.normal(0, 0.055, (count, 3, 3))
    tone = np.array([0.12, 0.3, 0.08]) * rng.uniform(0.5, 1.6, (count, 1))
    mesh.triangles(corners, library["leaf"], classes.PLANT, tints=tone,
                   offset=rng.uniform(0, 512, (count, 2)))  # fmt: skip


def add_bin(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add a waste bin."""
    colour = library["metal"].tinted(*rng.uniform(0.03, 0.4, 3))
    tube(mesh, local.point(0, 0), local.point(0, 0.35), 0.12, colour, F, sides=12, end_radius=0.15)


def add_carton(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add a carton, or a bag, on the floor."""
    size = rng.uniform(0.25, 0.55, 3)
    card = library["cork"].tinted(*(np.array([0.75, 0.58, 0.4]) * rng.uniform(0.6, 1.2)))
    a, d = size[0] / 2, size[2] / 2
    box(mesh, local, (-a, 0, -d), (a, size[1], d), card, F)
    note = library.notes[rng.integers(len(library.notes))]
    rect(mesh, local, -a + 0.04, size[1] - 0.04, 0.13, 0.17, library["melamine"], F, out=d + 0.003,
         patch=note)  # fmt: skip


def add_bench(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, local: LocalFrame
) -> None:
    """Add a laboratory bench with instruments and bottles."""
    white = library["melamine"].tinted(0.75, 0.76, 0.78)
    box(
        mesh,
        local,
        (-0.9, 0.86, -0.36),
        (0.9, 0.9, 0.36),
        library["concrete"].tinted(0.2, 0.2, 0.22),
        F,
    )
    box(mesh, local, (-0.88, 0.05, -0.34), (0.88, 0.86, 0.3), white, F, faces="flr")
    for x in (-0.88, 0.0):
        rect(mesh, local, x, 0.84, 0.86, 0.78, library["melamine"], F, out=0.303,
             patch=library.cabinets[rng.integers(len(library.cabinets))])  # fmt: skip
    for _ in range(rng.integers(2, 5)):
        x, size = rng.uniform(-0.8, 0.5), rng.uniform(0.15, 0.42, 3)
        shell = library["metal"].tinted(*np.full(3, rng.uniform(0.1, 0.8)))
        box(mesh, local, (x, 0.9, -0.3), (x + size[0], 0.9 + size[1], 0.0), shell, F)
        rect(mesh, local, x + 0.02, 0.9 + size[1] - 0.02, size[0] * 0.6, size[1] * 0.5,
             library["melamine"], F, out=0.004,
             patch=library.screens[rng.integers(len(library.screens))])  # fmt: skip
    for _ in range(rng.integers(2, 8)):
        foot = local.point(rng.uniform(-0.8, 0.8), 0.9, rng.uniform(0.05, 0.3))
        glass = library["metal"].tinted(*rng.uniform(0.05, 0.8, 3))
        tip = foot + np.array([0, 0, rng.uniform(0.1, 0.28)])
        tube(mesh, foot, tip, rng.uniform(0.025, 0.05), glass, F, sides=9)


Maker = Callable[[MeshBuilder, Library, np.random.Generator, LocalFrame], None]
MAKERS: Mapping[str, Maker] = {
    "desk": add_desk,
    "things": add_desk_things,
    "table": add_table,
    "chair": add_chair,
    "bookcase": add_bookcase,
    "cabinet": add_cabinet,
    "sofa": add_sofa,
    "plant": add_plant,
    "bin": add_bin,
    "carton": add_carton,
    "bench": add_bench,
}
"""Kind of furniture -> function that adds it."""
