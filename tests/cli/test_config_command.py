"""``hloc-lite config``: keys with value, range and meaning; sources and their differences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.config import Config, load_config
from hloc_lite.config.key_docs import key_docs


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["config", *arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_every_key_is_documented() -> None:
    keys = [f"{section}.{key}" for section, values in Config() for key in type(values).model_fields]
    assert list(key_docs()) == keys
    assert [doc.key for doc in key_docs().values() if not doc.text] == []


def test_the_range_is_the_one_that_is_enforced(capsys) -> None:
    _, out, _ = run(capsys, "show", "pose", "--json")
    shown = {each["key"]: each for each in json.loads(out)}["pose.max_error_px"]
    assert (shown["value"], shown["unit"]) == (Config().pose.max_error_px, "pixels")
    low, high = (float(word) for word in shown["range"].split()[1::2])
    for value, fits in ((low, True), (low / 2, False), (high, True), (high * 2, False)):
        try:
            load_config(overrides={"pose": {"max_error_px": value}})
        except Exception:
            assert not fits
        else:
            assert fits


def test_show_lists_all_sections_as_text(capsys) -> None:
    code, out, _ = run(capsys, "show")
    assert code == 0 and all(f"\n  {key} = " in out for key in key_docs())


def test_get_prints_the_value_of_a_source(capsys, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[pose]\nmax_error_px = 8\n", encoding="utf-8")
    code, out, err = run(capsys, "get", "pose.max_error_px", "--of", str(file))
    assert code == 0 and json.loads(out) == 8 and "default 12.0" in err and "Inlier" in err


def test_diff_names_the_keys_and_both_values(capsys, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[pose]\nmax_error_px = 8\n", encoding="utf-8")
    _, out, _ = run(capsys, "diff", "balanced", str(file))
    assert out.split() == ["pose.max_error_px", "12.0", "->", "8.0"]
    _, out, _ = run(capsys, "diff", "balanced", "fast", "--json")
    assert json.loads(out)["features.name"] == {"balanced": "aliked-n16", "fast": "xfeat"}
    assert "the same settings" in run(capsys, "diff", "default", "balanced")[1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("get", "pose.max_eror_px"), "did you mean pose.max_error_px"),
        (("show", "poses"), "known are images"),
        (("diff", "fast", "nowhere.toml"), "'nowhere.toml' does not exist: expected a profile"),
    ],
)
def test_mistakes_name_what_is_known(capsys, arguments, expected) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2 and expected in err and not out
