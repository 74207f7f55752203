"""``hloc-lite export`` and ``map --from-hloc``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from hloc_lite import Map
from hloc_lite.cli.export import command
from hloc_lite.cli.map_given import GivenSource, from_options, given_source, map_given
from hloc_lite.errors import ConfigError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.kapture import posed_images, read_kapture
from tests.exact_scene import mapped_scene


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("saved") / "MAP"
    with mapped_scene() as (_, sfm_map):
        sfm_map.save(folder)
        yield folder


def run(*arguments: str | Path) -> list[str]:
    result = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_hloc_and_back(saved: Path, tmp_path: Path) -> None:
    lines = run("hloc", saved, "-o", tmp_path / "run")
    assert [Path(line).name for line in lines] == [
        "feats-exact.h5",
        "global-feats-exact.h5",
        "pairs-tracks.txt",
        "feats-exact_matches-tracks_pairs-tracks.h5",
        "sfm",
    ]
    before = Map.open(saved)
    files: dict[str, Path | None] = {"hloc_features": Path(lines[0])}
    source = GivenSource(option="from_hloc", path=tmp_path / "run", files=files, features=None)
    after = map_given(source, None, tmp_path / "again", before.config, offline=True)
    name = before.model.images[0].name
    np.testing.assert_array_equal(
        after.features[name].descriptors, before.features[name].descriptors
    )
    assert after.model.num_points == before.model.num_points


def test_other_programs(saved: Path, tmp_path: Path) -> None:
    model = Map.open(saved).model
    run("colmap", saved, "-o", tmp_path / "colmap")
    assert read_model(tmp_path / "colmap").num_points == model.num_points
    run("kapture", saved, "-o", tmp_path / "kapture")
    posed = posed_images(read_kapture(tmp_path / "kapture"))
    assert [image.name for image in posed.model.images] == [i.name for i in model.images]
    target = tmp_path / "transforms.json"
    run("nerfstudio", saved, "-o", target, "--prefix", "images/")
    assert len(json.loads(target.read_text(encoding="utf-8"))["frames"]) == len(model.images)


@pytest.mark.parametrize("program", ["hloc", "colmap", "nerfstudio"])
def test_nothing_is_replaced_unasked(saved: Path, tmp_path: Path, program: str) -> None:
    target = tmp_path / "target.json" if program == "nerfstudio" else tmp_path / "target"
    run(program, saved, "-o", target)
    with pytest.raises(ConfigError, match="--overwrite"):
        run(program, saved, "-o", target)
    run(program, saved, "-o", target, "--overwrite")
    with pytest.raises(ConfigError, match="not in MAP"):
        run(program, saved, "-o", saved / "inside")


def test_options_that_do_not_go_together() -> None:
    run_folder = {"from_hloc": Path("run")}
    with pytest.raises(ConfigError, match="--hloc-features is only for --from-hloc"):
        given_source({}, {"hloc_features": Path("a.h5")}, {}, None)
    with pytest.raises(ConfigError, match="omit --pairs"):
        given_source(run_folder, {}, {"--pairs": "exhaustive", "--masks": None}, None)
    with pytest.raises(ConfigError, match="omit --reference"):
        given_source(run_folder, {}, {"--reference": Path("model")}, None)
    with pytest.raises(ConfigError, match="--from-hloc and --from-colmap: give one"):
        given_source({**run_folder, "from_colmap": Path("a.db")}, {}, {}, None)
    assert given_source({"from_hloc": None}, {}, {"--pairs": "exhaustive"}, None) is None
    files = {"hloc_global": Path("g.h5")}
    assert given_source(run_folder, files, {"--masks": None}, "disk") == GivenSource(
        option="from_hloc", path=Path("run"), files=files, features="disk"
    )
    colmap = given_source({"from_colmap": Path("a.db")}, {}, {"--reference": Path("m")}, None)
    assert colmap is not None and colmap.option == "from_colmap"


def test_options_are_added() -> None:
    options = click.command()(from_options(lambda **_: None)).params
    names = {name for each in options for name in each.opts}
    assert names == {
        "--from-hloc", "--hloc-model", "--hloc-features", "--hloc-matches", "--hloc-global",
        "--from-colmap", "--from-kapture",
    }  # fmt: skip
