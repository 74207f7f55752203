"""Files of confidence coefficients: read as written, or refused with a message that names why."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.config import ConfidenceConfig, load_config
from hloc_lite.errors import FormatError
from hloc_lite.localize.confidence import (
    MAX_FILE_BYTES,
    load_calibration,
    read_calibration,
    write_calibration,
)
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import Calibration, FitSummary, Term
from tests.exact_scene import NoWeights

CALIBRATION = Calibration(
    intercept=-1.5,
    learned=-2.5,
    fitted=FitSummary(seeds=(1, 2), num_poses=30, num_right=20, settings=('say "k=1" \\',)),
    terms={
        name: Term(center=0.5, scale=2.0, coefficient=0.25) for name in ("evidence", "certainty")
    },
)


def test_files_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "confidence.toml"
    write_calibration(path, CALIBRATION)
    assert read_calibration(path) == CALIBRATION
    assert load_calibration(ConfidenceConfig(file=str(path))) == CALIBRATION
    assert load_calibration(ConfidenceConfig(enabled=False)) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("intercept = -1.5", "intercept = nan", "intercept"),
        ("intercept = -1.5", "", "intercept"),
        ("intercept = -1.5", "intercept = 1e300", "intercept"),
        ("coefficient = 0.25", "coefficient = 1e308", "traits.evidence.coefficient"),
        ("coefficient = 0.25", "coefficient = -0.25", "coefficient"),
        ("scale = 2", "scale = 0", "scale"),
        ("[traits.", "[traits.other_", "unknown pose-quality feature"),
        ("[fitted]", "[fitted", "not readable TOML"),
        ("intercept = -1.5", "surplus = 1\nintercept = -1.5", "surplus"),
        ("\nlearned = -2.5", "\nlearned = 2.5", "learned"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "confidence.toml"
    write_calibration(path, CALIBRATION)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_calibration(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\xff\xfe\x00", "UTF-8"), (b"#" * (MAX_FILE_BYTES + 1), "larger"), (b"", "intercept")],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "confidence.toml"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read_calibration(path)


def test_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot read"):
        read_calibration(tmp_path / "none.toml")


def test_damaged_coefficients_are_refused_when_a_localizer_is_made(
    sfm_map: Map, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text("intercept = 'much'")
    settings = [f"confidence.file={tmp_path / 'c.toml'}"]
    config = load_config(base=sfm_map.config, settings=settings)
    with pytest.raises(FormatError, match="bad confidence coefficients"):
        Localizer(sfm_map, config, weights=NoWeights())
