"""Fingerprints of maps and stores stay those of version 0.1, whose keys had other names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hloc_lite.config import Config, load_config
from hloc_lite.io.files import read_json
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.mapping.retrieval import descriptor_store
from hloc_lite.mapping.run import MapInputs, Run
from hloc_lite.models import Models

CHANGED = {
    "matching": {
        "two_pass": False,
        "two_pass_good_matches": 70,
        "two_pass_good_pairs": 5,
        "two_pass_chance_matches": 4,
        "ratio_midpoint": 0.75,
    },
    "mapping": {"min_triangulated_share": 0.03},
    "cascade": {"accept_above": 0.9, "num_initial_images": 4},
    "semantics": {"mode": "hard", "window_px": 4},
    "weighting": {"view_semantics": 0.5, "off": ["view_semantics", "track"]},
}
FINGERPRINTS_OF_0_1 = {
    "balanced": {
        "cheap-matches": "b66200d1fb7c7650",
        "cheap-verified": "a51e0dd35b0a0428",
        "features": "18963d12c9c87758",
        "map": "b7fd0642bf1474b6",
        "matches": "fc0a5d50715e09a8",
        "retrieval": "b71d2d1377ecf351",
        "verified": "6a4adde0595e3469",
    },
    "fast": {
        "cheap-matches": "0ac6642caa6228e7",
        "cheap-verified": "82ff645f8c222a64",
        "features": "5192d6e6d6223bc3",
        "map": "34583b5dc6b7f806",
        "matches": "fddcd32e2aeccc84",
        "retrieval": "b71d2d1377ecf351",
        "verified": "03a11b73cd0aff10",
    },
    "changed": {
        "cheap-matches": "14c21c84dd1fa7dd",
        "cheap-verified": "c9532fc031f43b6f",
        "features": "18963d12c9c87758",
        "map": "b9dc3e848b914e35",
        "matches": "be738824c92120ff",
        "retrieval": "b71d2d1377ecf351",
        "verified": "b1590bb36fe7e047",
    },
}


def weights(name: str) -> dict[str, str]:
    return {name: 4 * name}


def run_with(config: Config, folder: Path) -> Run:
    networks: dict[str, Any] = {"extractor": None, "matcher": None, "global_descriptor": None}
    used = {f"{name}_weights": weights(name) for name in ("extractor", "matcher")}
    used["global_descriptor_weights"] = weights("describer")  # as in version 0.1
    return Run(MemorySource({}), config, MapInputs(), Models(**networks, **used), folder, False)


@pytest.mark.parametrize("name", FINGERPRINTS_OF_0_1)
def test_maps_and_stores_of_version_0_1_stay_valid(name: str, tmp_path: Path) -> None:
    config = load_config(overrides=CHANGED) if name == "changed" else load_config(name)
    run = run_with(config, tmp_path)
    for store in ("features", "matches", "verified", "cheap-matches", "cheap-verified"):
        run.store(store)
    descriptor_store(run, {"a.jpg": "1"})
    found = {
        path.parent.name.partition("-")[0] if "retrieval" in path.parent.name else path.parent.name:
        read_json(path)["fingerprint"]
        for path in tmp_path.rglob("store.json")
    }  # fmt: skip
    found["map"] = run.fingerprint({"a.jpg": "1", "b.jpg": "2"})
    assert found == FINGERPRINTS_OF_0_1[name]
