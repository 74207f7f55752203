"""The commands ``hloc-lite weights`` and ``hloc-lite doctor``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hloc_lite.cli.main import cli
from hloc_lite.errors import UnknownNameError
from hloc_lite.io.diagnostics import Finding, diagnose, is_well
from hloc_lite.io.probes import PROBES, run_probe
from hloc_lite.io.weights import WeightsStore
from hloc_lite.io.weights_cards import load_cards


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HLOC_LITE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HLOC_LITE_OFFLINE", "1")
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_the_list_shows_licences_and_training_data(empty_folder):
    shown = run("weights", "list").output
    for name, card in load_cards().items():
        assert name in shown and card.weights_licence in shown and card.training_data in shown
    assert str(empty_folder) in shown


def test_the_list_as_json_is_complete(empty_folder):
    (empty_folder / "xfeat.pt").write_bytes(b"torn")
    listed = {entry["name"]: entry for entry in json.loads(run("weights", "list", "--json").output)}
    assert set(listed) == set(load_cards())
    assert listed["xfeat"]["status"] == "corrupt"
    assert listed["disk"]["status"] == "absent"
    assert listed["disk"]["sha256"] == load_cards()["disk"].sha256


def test_check_fails_on_a_corrupt_file_only(empty_folder):
    assert run("weights", "check").exit_code == 0
    (empty_folder / "xfeat.pt").write_bytes(b"torn")
    checked = run("weights", "check")
    assert checked.exit_code == 2
    assert "weights fetch xfeat" in checked.output


def test_the_list_compares_sizes_only(empty_folder):
    """The list reports a file of the wrong size as corrupt, and does not read the others."""
    (empty_folder / "xfeat.pt").write_bytes(b"torn")
    card = load_cards()["disk"]
    with (empty_folder / card.file).open("wb") as file:
        file.truncate(card.bytes)
    lines = run("weights", "list").output.splitlines()
    states = {line.split()[0]: line.split()[1] for line in lines if line and line[0] != " "}
    assert (states["xfeat"], states["disk"], states["aliked-n16"]) == (
        "corrupt",
        "present",
        "absent",
    )
    assert "`hloc-lite weights check` compares checksums" in lines[-1]


def test_an_unwritable_weights_folder_is_a_problem_if_files_are_missing(tmp_path, monkeypatch):
    from hloc_lite.config import load_config
    from hloc_lite.io import diagnostics

    monkeypatch.delenv("HLOC_LITE_OFFLINE", raising=False)
    monkeypatch.setattr(diagnostics, "run_probe", lambda name: ANSWERS[name])
    (tmp_path / "file").touch()
    for store in (tmp_path / "file" / "weights", tmp_path / "file"):
        findings = diagnose(WeightsStore(store), load_config())
        (folder,) = (f for f in findings if (f.section, f.name) == ("weights", "folder"))
        assert not is_well(findings) and not folder.ok and folder.required
        assert "HLOC_LITE_WEIGHTS" in folder.remedy
    present = WeightsStore(tmp_path / "file", cards={})
    monkeypatch.setattr(diagnostics, "cards_needed", lambda _: [])
    assert is_well(diagnose(present, load_config()))


def test_fetch_refuses_unknown_names_before_anything_else(empty_folder):
    with pytest.raises(UnknownNameError, match="Did you mean 'xfeat'"):
        run("weights", "fetch", "disk", "xfeats")


def test_fetching_a_profile_names_each_file_that_failed(empty_folder):
    command = [sys.executable, "-c", "from hloc_lite.cli.main import main; main()"]
    done = subprocess.run(
        [*command, "weights", "fetch", "balanced"], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for name in ("aliked-n16", "lightglue-aliked", "efficientnet-lite0"):
        assert f"'{name}'" in done.stderr


@pytest.mark.parametrize("name", PROBES)
def test_the_libraries_pass_their_probes(name):
    assert run_probe(name).failure == ""


def test_a_crashed_probe_is_reported(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert run_probe("torch_devices").failure == "exit code 1"


def test_the_doctor_names_the_remedy_of_each_problem(empty_folder):
    done = run("doctor", "--json")
    report = json.loads(done.output)
    findings = {finding["name"]: finding for finding in report["findings"]}
    # offline and without weights the default pipeline cannot run
    assert done.exit_code == 2 and report["ok"] is False
    assert findings["aliked-n16"]["ok"] is False
    assert findings["aliked-n16"]["remedy"] == "hloc-lite weights fetch aliked-n16"
    assert findings["disk"]["ok"] is True  # not needed by the default pipeline
    assert findings["torch"]["ok"] is True and findings["torch computes"]["value"] == "yes"
    assert all(f["remedy"] for f in report["findings"] if not f["ok"])


def test_absent_weights_are_ok_if_they_can_be_fetched(tmp_path, monkeypatch):
    from hloc_lite.config import load_config
    from hloc_lite.io import diagnostics

    monkeypatch.delenv("HLOC_LITE_OFFLINE", raising=False)
    monkeypatch.setattr(diagnostics, "run_probe", lambda name: ANSWERS[name])
    findings = diagnose(WeightsStore(tmp_path), load_config())
    assert is_well(findings)
    assert not is_well([*findings, Finding("checks", "x", "broken", ok=False)])


def test_a_crashing_library_is_a_problem(tmp_path, monkeypatch):
    from hloc_lite.config import load_config
    from hloc_lite.io import diagnostics
    from hloc_lite.io.probes import ProbeAnswer

    answers = {**ANSWERS, "faiss_after_torch": ProbeAnswer(None, "crashed (signal 6)")}
    monkeypatch.setattr(diagnostics, "run_probe", lambda name: answers[name])
    findings = {f.name: f for f in diagnose(WeightsStore(tmp_path), load_config())}
    assert not findings["faiss after torch"].ok
    assert "OpenMP" in findings["faiss after torch"].remedy
    assert not is_well(list(findings.values()))


def _answers():
    from hloc_lite.io.probes import ProbeAnswer

    values = {name: ProbeAnswer("right", "") for name in PROBES}
    values["torch_devices"] = ProbeAnswer({"cuda": [], "mps": False}, "")
    values["pycolmap_mapper"] = ProbeAnswer({"version": "3.13", "global_mapper": False}, "")
    return values


ANSWERS = _answers()
