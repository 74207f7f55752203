"""hloc's ``match_dense``, which has no counterpart in this package yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from hloc_lite.errors import ConfigError

confs: dict[str, dict[str, Any]] = {
    "loftr": {"output": "matches-loftr", "model": {"name": "loftr", "weights": "outdoor"}},
    "loftr_aachen": {
        "output": "matches-loftr_aachen",
        "model": {"name": "loftr", "weights": "outdoor"},
    },
    "loftr_superpoint": {
        "output": "matches-loftr_aachen",
        "model": {"name": "loftr", "weights": "outdoor"},
    },
}
"""hloc's configurations by name."""


def main(
    conf: dict[str, Any],
    pairs: Path,
    image_dir: Path,
    export_dir: Path | None = None,
    matches: Path | None = None,
    features: Path | str | None = None,
    features_ref: Path | str | None = None,
    max_kps: int | None = 8192,
    overwrite: bool = False,
) -> NoReturn:
    """Refuse: there is no dense matcher.

    Raises:
        ConfigError: always; names the remedy.
    """
    name = conf.get("model", {}).get("name", "?")
    raise ConfigError(
        f"hloc_lite has no dense matcher such as {name} yet. Use extract_features with "
        f"'aliked-n16' and match_features with 'aliked+lightglue'; or run hloc's match_dense: "
        f"reconstruction, triangulation and localize_sfm take its files"
    )
