"""Features of hloc's files for a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.local_features import to_local_features
from hloc_lite.mapping.given_features import GivenFeatures
from hloc_lite.types import Float64, LocalFeatures


class HlocFeatures(GivenFeatures):
    """Features of the named images in a file of hloc.

    Raises:
        FormatError: the file lacks an image.
    """

    def __init__(self, file: FeaturesFile, names: Sequence[str]) -> None:
        super().__init__(names, [name for name in names if name not in file], str(file.path))
        self._file = file

    def keypoints(self, name: str) -> Float64:
        return self._file.keypoints(name).astype(np.float64)

    def _read(self, name: str) -> LocalFeatures:
        return to_local_features(self._file[name], f"{self._file.path}: {name!r}")
