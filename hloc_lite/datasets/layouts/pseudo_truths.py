"""Pseudo ground truth beside 7-Scenes and 12-Scenes: which one is used, and its poses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.formats.pseudo_truth import read_pseudo_truth

TRUTHS: Mapping[str, str] = {"sfm": "structure from motion", "dslam": "depth tracking"}
"""Name of a truth -> how it was made, in the order in which they are preferred."""
_FOLDERS = ("pgt", "visloc_pseudo_gt_limitations/pgt", ".")


def read_pseudo_truths(
    root: Path, data_set: str, scene: str, image_size: tuple[int, int]
) -> tuple[PosedImages, PosedImages, str] | None:
    """Read the pseudo truth of a scene, if its files lie below the root.

    They are looked for as the authors' repository has them, ``pgt/sfm/7scenes/chess_test.txt``.

    Args:
        root: folder of the benchmark.
        data_set: ``7scenes`` or ``12scenes``.
        scene: name in the files, such as ``chess`` or ``apt1_kitchen``.
        image_size: (width, height) of the images, pixels.

    Returns:
        Map images, queries, and a note on the choice; None without files.

    Raises:
        FormatError: one of the two files is missing or damaged.
    """
    for kind, maker in TRUTHS.items():
        for place in _FOLDERS:
            folder = root / place / kind / data_set
            paths = [folder / f"{scene}_{split}.txt" for split in ("train", "test")]
            found = [path for path in paths if path.is_file()]
            if not found:
                continue
            if len(found) < len(paths):
                (missing,) = set(paths) - set(found)
                raise FormatError(
                    f"{missing} does not exist, but {found[0].name} does: poses of map and queries "
                    f"must be of one truth. Add it, or move the other one away"
                )
            train, test = (read_pseudo_truth(path, image_size) for path in paths)
            note = (
                f"poses and focal lengths are the pseudo ground truth by {maker} in {folder}, not "
                f"the original poses; without these files the original poses are used"
            )
            return train, test, note
    return None
