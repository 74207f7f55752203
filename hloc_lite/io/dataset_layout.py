"""Names of the files in a data set folder, for those who write one and those who read one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hloc_lite.errors import FormatError

ALL = "all"
"""Condition of queries that are not divided by condition."""


@dataclass(frozen=True)
class DatasetLayout:
    """Paths in a data set folder, whether or not they exist."""

    root: Path

    @property
    def images(self) -> Path:
        """Folder of all images; names in lists are relative to it."""
        return self.root / "images"

    @property
    def map_images(self) -> Path:
        """Names of the map images, one per line."""
        return self.root / "map_images.txt"

    @property
    def model(self) -> Path:
        """COLMAP model with cameras and poses of the map images."""
        return self.root / "model"

    @property
    def depth(self) -> Path:
        """Folder of depth images."""
        return self.root / "depth"

    @property
    def labels(self) -> Path:
        """Folder of label images."""
        return self.root / "labels"

    @property
    def unit_length(self) -> Path:
        """Reference length in map units; position errors are given in percent of it."""
        return self.root / "unit.txt"

    def queries(self, condition: str = ALL) -> Path:
        """Return the path of hloc's query list with intrinsics."""
        return self._list("queries", condition)

    def ground_truth(self, condition: str = ALL) -> Path:
        """Return the path of the true cam_from_world poses of the queries."""
        return self._list("gt", condition)

    def query_lists(self) -> dict[str, Path]:
        """Return the query lists on disk by condition.

        Raises:
            FormatError: one list of all queries beside lists of conditions.
        """
        return self._lists_on_disk("queries")

    def ground_truths(self) -> dict[str, Path]:
        """Return the files of true poses on disk by condition.

        Raises:
            FormatError: one file of all poses beside files of conditions.
        """
        return self._lists_on_disk("gt")

    def _list(self, prefix: str, condition: str) -> Path:
        name = prefix if condition == ALL else f"{prefix}_{condition}"
        return self.root / f"{name}.txt"

    def _lists_on_disk(self, prefix: str) -> dict[str, Path]:
        paths = sorted(self.root.glob(f"{prefix}_*.txt"))
        single = self._list(prefix, ALL)
        if not single.is_file():
            return {path.stem.removeprefix(f"{prefix}_"): path for path in paths}
        if paths:
            raise FormatError(
                f"{self.root} has both {single.name} and {paths[0].name}: expected one file for "
                f"all queries, or one per condition. Move away those that do not belong"
            )
        return {ALL: single}
