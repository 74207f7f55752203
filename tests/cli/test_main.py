"""The command line as a whole: options reach their functions, errors are one line, quick help."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from importlib import import_module

import click
import pytest

from hloc_lite.cli.main import VERBS, main
from hloc_lite.errors import ConfigError
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.registry import check_device
from hloc_lite.types import Rigid3


def commands():
    for verb, module in VERBS.items():
        found = import_module(module).command
        subcommands = found.commands.values() if isinstance(found, click.Group) else [found]
        for command in subcommands:
            yield pytest.param(command, id=f"{verb} {command.name}")


@pytest.mark.parametrize("command", list(commands()))
def test_every_option_reaches_its_function_and_has_a_help_text(command):
    parameters = {p.name for p in command.params}
    accepted = set(inspect.signature(command.callback).parameters) - {"ctx"}
    assert parameters == accepted
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert [o.name for o in options if not o.help] == []
    assert command.help


@pytest.mark.parametrize("group", [[], ["town"], ["weights"]], ids=str)
def test_every_verb_has_a_summary_that_fits_on_one_line(group, capsys):
    with pytest.raises(SystemExit):
        main([*group, "--help"])
    summaries = capsys.readouterr().out.partition("Commands:")[2].splitlines()[1:]
    assert summaries
    for line in summaries:
        assert len(line.split()) > 2 and line.endswith("."), line
        assert not line.endswith("..."), line


@pytest.mark.parametrize(
    "arguments",
    [
        ["map", "nowhere", "-o", "out"],
        ["map", ".", "-o", "out", "--set", "pose.nothing=1"],
        ["map", ".", "-o", "out", "--pairs", "magic:3"],
        ["localize", "nowhere", "photo.jpg"],
        ["localize", "nowhere"],
        ["map", ".", "-o", "out", "--labels", "nowhere"],
        ["evaluate", "nowhere.txt", "nothing.txt"],
        ["weights", "fetch", "no-such-network"],
        ["map", ".", "-o", "out", "--no-such-flag"],
        ["no-such-verb"],
        ["town", "render", "-o", "t", "--conditions", ""],
        ["town", "render", "-o", "t", "--conditions", " , "],
        ["town", "render", "-o", "t", "--size", "²x3"],
        ["demo", "-o", "d", "--size", "²x3"],
        ["demo", "-o", "d", "--device", "garbage"],
    ],
)
def test_misuse_is_one_line_and_exit_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].lower().startswith("error: ")
    assert errors.lower().count("error: ") == 1


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from hloc_lite.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'pycolmap', 'kornia', 'matplotlib', 'numpy'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert all(verb in run.stdout for verb in VERBS)


@pytest.mark.parametrize("device", ["meta", "foo", "", "mps:7", "cuda:99"])
def test_unusable_devices_are_refused(device):
    with pytest.raises(ConfigError, match="cannot be used here") as refused:
        check_device(device)
    assert len(str(refused.value)) < 300


def test_intrinsics_and_a_reference_together_are_refused(capsys, tmp_path):
    arguments = ["map", str(tmp_path), "-o", str(tmp_path / "out")]
    for name in ("cameras.txt", "images.txt"):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit):
        main([*arguments, "--reference", str(tmp_path), "--cameras", "cameras.txt"])
    assert "already has the cameras: omit --cameras" in capsys.readouterr().err


def test_the_demo_passes_its_options_to_each_step(monkeypatch, capsys, tmp_path):
    """-q and --overwrite reach the steps; an unusable device is refused before the first step."""
    calls = []
    for verb in ("town", "map", "localize", "evaluate"):
        module = import_module(VERBS[verb])

        @click.command(verb, context_settings={"ignore_unknown_options": True})
        @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
        def stand_in(rest, verb=verb):
            loud = logging.getLogger("hloc_lite").isEnabledFor(logging.INFO)
            calls.append((verb, "--overwrite" in rest, loud))

        monkeypatch.setattr(module, "command", stand_in)
    for file in ("poses.txt", *(f"town/gt_{name}.txt" for name in ("day", "night", "changed"))):
        write_poses(tmp_path / file, {f"{file}.jpg": Rigid3.identity(), "q.jpg": Rigid3.identity()})
    with pytest.raises(SystemExit) as stopped:
        main(["-q", "demo", "-o", str(tmp_path), "--overwrite"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.splitlines()[-1] == "given but wrong: 0 of 1"
    assert calls == [
        ("town", True, False), ("map", True, False), ("localize", False, False),
        ("evaluate", False, False),
    ]  # fmt: skip
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "-o", str(tmp_path), "--device", "garbage"])
    assert stopped.value.code == 2 and len(calls) == 4
