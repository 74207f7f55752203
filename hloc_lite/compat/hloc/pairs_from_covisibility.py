"""hloc's ``pairs_from_covisibility``: images that share most points of a model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import model_of
from hloc_lite.compat.hloc.outputs import write_pairs
from hloc_lite.mapping.pairs import pairs_from_covisibility

logger = logging.getLogger(__name__)


def main(model: Any, output: Path | str, num_matched: int) -> None:
    """Write for each image those that share most points with it.

    Args:
        model: SfM model: a folder, or a ``pycolmap.Reconstruction``.
        output: list to write.
        num_matched: largest number of images for each.
    """
    pairs = pairs_from_covisibility(model_of(model), int(num_matched))
    logger.info("%d pairs", len(pairs))
    write_pairs(Path(output), pairs)


if __name__ == "__main__":
    run(main, "model output", numbers="num_matched")
