"""hloc's ``pairs_from_exhaustive``: all pairs of images."""

from __future__ import annotations

import logging
from itertools import combinations, product
from pathlib import Path

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import ImageList, image_names, names_in_features
from hloc_lite.compat.hloc.outputs import write_pairs
from hloc_lite.errors import ConfigError

logger = logging.getLogger(__name__)


def main(
    output: Path | str,
    image_list: ImageList | None = None,
    features: Path | str | None = None,
    ref_list: ImageList | None = None,
    ref_features: Path | str | None = None,
) -> None:
    """Write all pairs of images, or all pairs of an image and a reference image.

    Args:
        output: list to write.
        image_list: names, or a file of names.
        features: file whose images are taken where there is no list.
        ref_list: names of the reference images; none for pairs among the images.
        ref_features: file whose images are the references where there is no list.

    Raises:
        ConfigError: neither a list nor a file of features.
    """
    names = _names(image_list, features)
    if names is None:
        raise ConfigError("give image_list or features")
    references = _names(ref_list, ref_features)
    pairs = combinations(names, 2) if references is None else product(names, references)
    found = [(first, second) for first, second in pairs if first != second]
    logger.info("%d pairs", len(found))
    write_pairs(Path(output), found)


def _names(listed: ImageList | None, features: Path | str | None) -> list[str] | None:
    if listed is not None:
        return image_names(listed)
    return None if features is None else names_in_features(features)


if __name__ == "__main__":
    run(main, "output", optional="image_list features ref_list ref_features")
