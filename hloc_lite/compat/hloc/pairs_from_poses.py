"""hloc's ``pairs_from_poses``: near cameras that look in similar directions."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import model_of
from hloc_lite.compat.hloc.outputs import write_pairs
from hloc_lite.mapping.pairs import pairs_from_poses

logger = logging.getLogger(__name__)
DEFAULT_ROT_THRESH = 30
"""Largest angle between the optical axes, degrees."""


def main(
    model: Any, output: Path | str, num_matched: int, rotation_threshold: float = DEFAULT_ROT_THRESH
) -> None:
    """Write for each image the nearest ones whose optical axes differ by little.

    Args:
        model: SfM model: a folder, or a ``pycolmap.Reconstruction``.
        output: list to write.
        num_matched: largest number of images for each.
        rotation_threshold: largest angle between optical axes, degrees.
    """
    pairs = pairs_from_poses(model_of(model), int(num_matched), rotation_threshold)
    logger.info("%d pairs", len(pairs))
    write_pairs(Path(output), pairs)


if __name__ == "__main__":
    run(main, "model output", numbers="num_matched rotation_threshold")
