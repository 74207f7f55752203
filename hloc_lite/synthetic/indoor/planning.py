"""Generates the plan of a floor: a corridor with rooms on both sides, and often an arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.synthetic.indoor.layout import (
    DOOR_M,
    EAST,
    NORTH,
    SOUTH,
    WALL_M,
    WEST,
    FloorPlan,
    Opening,
    OpeningKind,
    Space,
    Use,
)

TWIN_SHARE = 0.35
"""Share of the rooms that look like their neighbour but for small things."""
WINDOW_SILL_M, WINDOW_TOP_M = 0.92, 2.3
_ROOM_USES = (Use.OFFICE, Use.OFFICE, Use.MEETING, Use.LABORATORY, Use.LOUNGE, Use.LIBRARY)


@dataclass(frozen=True)
class _Slot:
    """Room or arm of a corridor before it has a place."""

    width: float
    depth: float
    use: Use
    style_key: tuple[int, ...]


def make_floor(seed: int, number: int, name: str, num_rooms: int) -> FloorPlan:
    """Make the plan of a floor.

    Args:
        seed: seed of the building.
        number: index of the floor.
        name: its name.
        num_rooms: rooms beside the corridors.
    """
    key = (seed, 400, number)
    rng = np.random.default_rng([*key, 0])
    height, breadth = rng.uniform(2.7, 3.0), rng.uniform(1.9, 2.7)
    uses = _uses(rng, num_rooms)
    half = (num_rooms + 1) // 2
    sides = [_slots(rng, key, uses[:half], 0), _slots(rng, key, uses[half:], half)]
    if rng.random() < 0.75:
        side = int(rng.integers(2))
        arm = _Slot(rng.uniform(1.8, 2.3), rng.uniform(6, 10), Use.CORRIDOR, (*key, 90))
        sides[side].insert(int(rng.integers(len(sides[side]) + 1)), arm)
    length = max(_length(slots) for slots in sides)
    corridor = Space(Use.CORRIDOR, 0, 0, length, breadth, height, (*key, 91), (*key, 91))
    ends = (
        Opening(OpeningKind.WINDOW, EAST, breadth / 2 - 0.7, 1.4, WINDOW_SILL_M, WINDOW_TOP_M),
        Opening(OpeningKind.BLIND_DOOR, WEST, breadth / 2 - 0.5, 1.0, 0, DOOR_M[1]),
    )
    openings, spaces = list(ends), list[Space]()
    for side, slots in zip((NORTH, SOUTH), sides, strict=True):
        for x0, slot in _placed_slots(slots, length):
            space, holes = _joined(rng, corridor, side, x0, slot, f"{number + 1}.{len(spaces):03d}")
            spaces.append(space)
            openings += holes
    corridor = replace(corridor, openings=tuple(openings))
    arms = [space for space in spaces if space.use is Use.CORRIDOR]
    rooms = [space for space in spaces if space.use is not Use.CORRIDOR]
    return FloorPlan(name, key, (corridor, *arms, *rooms), number)


def _uses(rng: np.random.Generator, count: int) -> list[Use]:
    """Uses of the rooms: each at least once where there are enough rooms."""
    first = [_ROOM_USES[k] for k in rng.permutation(len(_ROOM_USES))][:count]
    more = [_ROOM_USES[rng.integers(len(_ROOM_USES))] for _ in range(count - len(first))]
    return first + more


def _slots(
    rng: np.random.Generator, key: tuple[int, ...], uses: list[Use], first: int
) -> list[_Slot]:
    slots: list[_Slot] = []
    for number, use in enumerate(uses, start=first):
        wide = use in (Use.MEETING, Use.LABORATORY, Use.LOUNGE)
        slot = _Slot(
            rng.uniform(5.0, 7.8) if wide else rng.uniform(3.6, 5.6), rng.uniform(4.2, 6.6),
            use, (*key, number),
        )  # fmt: skip
        # never three alike
        is_twin = bool(slots) and slots[-1] not in slots[:-1] and rng.random() < TWIN_SHARE
        slots.append(slots[-1] if is_twin else slot)
    return slots


def _length(slots: list[_Slot]) -> float:
    return sum(slot.width for slot in slots) + WALL_M * (len(slots) - 1)


def _placed_slots(slots: list[_Slot], length: float) -> list[tuple[float, _Slot]]:
    """(lower x, slot) along the corridor; rooms are stretched until they fill it."""
    rooms = sum(slot.width for slot in slots if slot.use is not Use.CORRIDOR)
    stretch = 1 + (length - _length(slots)) / rooms
    found, x = [], 0.0
    for slot in slots:
        is_room = slot.use is not Use.CORRIDOR
        placed = replace(slot, width=slot.width * stretch) if is_room else slot
        found.append((x, placed))
        x += placed.width + WALL_M
    return found


def _joined(
    rng: np.random.Generator, corridor: Space, side: int, x0: float, slot: _Slot, number: str
) -> tuple[Space, list[Opening]]:
    """The space of a slot, and the openings that it has in the corridor's wall."""
    y = corridor.y1 + WALL_M if side == NORTH else corridor.y0 - WALL_M - slot.depth
    x1, back, front = x0 + slot.width, side, SOUTH if side == NORTH else NORTH
    detail_key = (*corridor.detail_key, round(x0 * 100), side)
    space = Space(slot.use, x0, y, x1, y + slot.depth, corridor.height, slot.style_key, detail_key)
    if slot.use is Use.CORRIDOR:
        passage = Opening(OpeningKind.PASSAGE, side, x0, slot.width, 0, corridor.height)
        sill = Opening(OpeningKind.WINDOW, back, x0 + 0.4, slot.width - 0.8, 0.3, WINDOW_TOP_M)
        blind = [
            Opening(OpeningKind.BLIND_DOOR, wall, y + slot.depth * share, 0.95, 0, DOOR_M[1],
                    f"{number}{letter}")
            for wall, share, letter in ((WEST, 0.3, "a"), (EAST, 0.3, "b"), (WEST, 0.65, "c"))
        ]  # fmt: skip
        holes = (replace(passage, wall=front), sill, *blind)
        return replace(space, openings=holes), [passage]
    style = np.random.default_rng([*slot.style_key, 1])
    left = x0 + 0.35 + style.uniform(0, 1) * (slot.width - 0.7 - DOOR_M[0])
    door = Opening(OpeningKind.DOOR, side, left, DOOR_M[0], 0, DOOR_M[1], number)
    count = max(1, int(slot.width / 2.0))
    pitch, wide = slot.width / count, min(1.5, slot.width / count - 0.45)
    windows = [
        Opening(OpeningKind.WINDOW, back, x0 + (k + 0.5) * pitch - wide / 2, wide,
                WINDOW_SILL_M, WINDOW_TOP_M)
        for k in range(count)
    ]  # fmt: skip
    inner = replace(door, wall=front, number="")
    return replace(space, openings=(inner, *windows)), [door]
