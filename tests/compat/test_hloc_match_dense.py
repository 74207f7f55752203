"""hloc's ``match_dense``: its files are those that the other functions read, and clear errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.compat.hloc import match_dense
from hloc_lite.entries import MatcherEntry
from hloc_lite.errors import ConfigError
from hloc_lite.formats.hloc.features import FeaturesFile, write_features
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.registry import register
from tests.photo_wall import OrbPairMatcher, make_photos

CONF = {"output": "matches-orb", "model": {"name": "orb"}, "cell_size": 2, "max_error": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    shots, _ = make_photos()
    (tmp_path / "images").mkdir()
    for name, pixels in shots.items():
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    names = sorted(shots)[:3]
    lines = [f"{a} {b}" for i, a in enumerate(names) for b in names[i + 1 :]]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with register("matchers", "orb", MatcherEntry(OrbPairMatcher, takes_photos=True)):
        yield tmp_path


def test_keypoints_are_shared_and_matches_point_at_them(folder: Path) -> None:
    features, matches = match_dense.main(
        CONF, folder / "pairs.txt", folder / "images", export_dir=folder, max_kps=300
    )
    assert features.name == "feats_matches-orb.h5" and matches.name == "matches-orb_pairs.h5"
    with closing(FeaturesFile(features)) as file:
        assert sorted(file) == ["0.png", "1.png", "2.png"]
        counts = {name: len(each.keypoints) for name, each in file.items()}
    assert max(counts.values()) == 300
    with closing(MatchesFile(matches, list(counts))) as file:
        assert len(file.pairs()) == 3
        used = [file.read(*pair).indices for pair in file.pairs()]
    assert min(map(len, used)) > 20
    before = matches.stat().st_mtime_ns
    match_dense.main(CONF, folder / "pairs.txt", folder / "images", export_dir=folder)
    assert matches.stat().st_mtime_ns == before, "nothing is matched again"


def test_images_with_features_keep_their_keypoints(folder: Path) -> None:
    arguments = (folder / "pairs.txt", folder / "images")
    features, _ = match_dense.main(CONF, *arguments, export_dir=folder)
    with closing(FeaturesFile(features)) as file:
        known = file["0.png"]
        write_features(folder / "known.h5", [("0.png", known)])
    again, _ = match_dense.main(
        CONF, *arguments, matches=folder / "m.h5", features=folder / "f.h5",
        features_ref=folder / "known.h5", max_kps=10,
    )  # fmt: skip
    with closing(FeaturesFile(again)) as file:
        np.testing.assert_allclose(file["0.png"].keypoints, known.keypoints, atol=1e-4)
        assert len(file["1.png"].keypoints) == 10


def test_errors_name_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HLOC_LITE_OFFLINE", "1")
    monkeypatch.setenv("HLOC_LITE_WEIGHTS", str(folder))
    arguments = (folder / "pairs.txt", folder / "images", folder)
    with pytest.raises(ConfigError, match=r"loftr-outdoor(.|\n)*aliked\+lightglue"):
        match_dense.main(match_dense.confs["loftr"], *arguments)
    with pytest.raises(ConfigError, match="known are loftr, and coarse-to-fine-lite0"):
        match_dense.main({**CONF, "model": {"name": "roma"}}, *arguments)
    with pytest.raises(ConfigError, match="give export_dir"):
        match_dense.main(CONF, *arguments[:2])
