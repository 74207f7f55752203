"""The process as a shell sees it: exit codes, signals, full disks and closed pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hloc_lite.cli import main as entry
from hloc_lite.cli.main import RESUMABLE, main

COMMAND = (sys.executable, "-c", "from hloc_lite.cli.main import main; main()")


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([*COMMAND, *arguments], text=True, check=False, **streams)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["weights", "list"], ["--help"], ["weights", "list", "-h"]])
def test_a_full_disk_is_reported_in_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = run(*arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["error: cannot write the output: No space left on device"]


@pytest.mark.skipif(os.name == "nt", reason="pipes of Unix")
@pytest.mark.parametrize("arguments", [["weights", "list"], ["--help"]])
def test_a_closed_pipe_ends_the_process_silently(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(*arguments, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="folders in use cannot be deleted")
def test_a_deleted_working_folder_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    environment = {**os.environ, "PYTHONPATH": str(Path(entry.__file__).parents[2])}
    command = ["sh", "-c", script, "sh", str(gone), *COMMAND, "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: the working folder no longer exists")


@pytest.mark.skipif(os.name == "nt", reason="Windows has Unicode names")
def test_a_locale_without_utf8_is_reported() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("weights", "list", env={**os.environ, **plain})
    assert done.returncode == 2
    assert "the locale's encoding is" in done.stderr and "PYTHONUTF8=1" in done.stderr


@click.command()
def interrupted_late() -> None:
    """Raise KeyboardInterrupt after the command has become resumable."""
    click.get_current_context().meta[RESUMABLE] = True
    raise KeyboardInterrupt


@click.command()
def interrupted_early() -> None:
    """Raise KeyboardInterrupt at once."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (interrupted_early, "interrupted\n"),
        (interrupted_late, "interrupted; run the same command again to resume\n"),
    ],
)
def test_an_interrupt_has_its_own_message_and_exit_code(
    command: click.Command, message: str, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(entry.LazyGroup, "get_command", lambda *_: command)
    with pytest.raises(SystemExit) as stopped:
        main(["anything"])
    assert (stopped.value.code, capsys.readouterr().err) == (130, message)


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_an_interrupt_while_a_verb_is_imported_has_no_traceback() -> None:
    code = (
        "import os, signal, hloc_lite.cli.main as entry\n"
        # shells start background jobs with SIGINT ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "entry.import_module = lambda name: os.kill(os.getpid(), signal.SIGINT)\n"
        "entry.main(['doctor'])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert signal.SIGINT == 2
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
