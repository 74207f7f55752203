"""``Map``: the value that queries are localized in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hloc_lite.display import html_table
from hloc_lite.errors import DamagedMapError, FormatError
from hloc_lite.maps.folder import REMEDY
from hloc_lite.maps.map_data import MapData
from hloc_lite.maps.saving import save_map
from hloc_lite.maps.storage import read_map


@dataclass(frozen=True, eq=False)
class Map(MapData):
    """SfM model with the features and global descriptors of its images; opens and saves itself."""

    def __repr__(self) -> str:
        facts = ", ".join(f"{key} {value}" for key, value in self._facts().items())
        return f"Map({facts})"

    def _repr_html_(self) -> str:
        return html_table("Map", self._facts())

    def _facts(self) -> dict[str, str]:
        scale = self.metres_per_unit
        return {
            "images": str(len(self.model.images)),
            "points": str(self.model.num_points),
            "features": self.config.features.name,
            "retrieval": self.config.retrieval.name,
            "map unit": "of unknown length" if scale is None else f"{scale:.6g} m",
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def open(cls, path: Path | str, *, trust: bool = False) -> Map:
        """Open the full or compact map in a folder; features stay on disk until accessed.

        Args:
            trust: use the models, packages, files and folders outside hloc_lite that the map names.
                False: they are ``outside_names``, and nothing is loaded by them. A map from a
                stranger could name a private folder, or a model of a hub.

        Raises:
            FormatError: no map there, an unfinished one, another schema, or a damaged file.
            StaleArtefactError: its georeference belongs to other poses.
        """
        parts = read_map(Path(path), trust=trust)
        try:
            return cls(**parts)
        except FormatError as error:  # each file is whole, but they do not belong together
            raise DamagedMapError(f"{error}: {REMEDY}") from None

    def save(self, path: Path | str) -> None:
        """Write the map into a folder; a map that is there is replaced once this one is complete.

        A process that is killed meanwhile leaves the old map or the new one.

        Raises:
            BusyMapError: another process writes to the folder.
            MappingError: the folder holds other files than a map.
            HlocLiteError: the folder cannot be written.
        """
        save_map(Path(path), self)


def in_memory(sfm_map: Map) -> Map:
    """Copy of a map with all features loaded, independent of its folder."""
    features = {image.name: sfm_map.features[image.name] for image in sfm_map.model.images}
    descriptors = sfm_map.landmark_descriptors
    if descriptors is not None:
        descriptors = replace(descriptors, values=np.array(descriptors.values[:]))
    return replace(sfm_map, features=features, landmark_descriptors=descriptors)
