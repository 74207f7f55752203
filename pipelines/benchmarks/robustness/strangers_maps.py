"""Maps of strangers are opened and localized in: what do they open, run, connect to, and cost?

    python -m pipelines.benchmarks.robustness.strangers_maps MAP PHOTO --count 200

Copies of MAP, full and compact, get one harm each (``hostile_maps``), and PHOTO is localized in
each by a process of its own, which strace watches. Counted are opened, executed and connected
things outside the copy but Python, its packages, shared libraries, weights, caches, /proc, /sys,
/dev and the temporary folder; errors without a remedy; and the longest time and most memory.

It needs strace (``apt-get install strace``).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
import platformdirs

from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.io.weights import default_folder
from hloc_lite.maps.map import Map
from pipelines.benchmarks.robustness.hostile_maps import PRIVATE_FILES, plants, sign
from pipelines.benchmarks.table import Table, results_option

ROOT = Path(__file__).absolute().parents[3]
CALLS = (
    "openat,open,creat,execve,connect,socket,rename,renameat,renameat2,unlink,unlinkat,mkdir,"
    "mkdirat"
)
"""System calls that are watched."""
_CALL = re.compile(r"(openat|open|creat|execve|connect|socket|rename\w*|unlink\w*|mkdir\w*)\((.*)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def make_maps(folder: Path, source: Path, private: Path, count: int, seed: int) -> int:
    """Write hostile copies of a map into a folder, and a good one; return how many there are."""
    from hloc_lite.maps.compress import compress_map

    private.mkdir(parents=True)
    for name in PRIVATE_FILES:
        (private / name).write_bytes(b"private")
    shutil.copytree(source, folder / "good", ignore=shutil.ignore_patterns("work"))
    compress_map(Map.open(folder / "good"), folder / "good compact")
    made = [
        (base, name, plant)
        for base in ("good", "good compact")
        for name, plant in plants(is_compact=base != "good").items()
    ]
    random.Random(seed).shuffle(made)
    for base, name, plant in made[:count]:
        target = folder / f"{base.removeprefix('good').strip() or 'full'} {name.replace('/', '_')}"
        shutil.copytree(folder / base, target)
        plant(target, private)
        if (target / "map.json").is_file() and name.startswith(("model", "image name")):
            sign(target)
    return min(count, len(made))


def outside(trace: Path, allowed: tuple[str, ...]) -> list[str]:
    """Calls of a trace that reach outside the allowed folders, and all that use sockets."""
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        call = _CALL.search(line)
        if call is None or "resumed>" in line:
            continue
        kind, rest = call.groups()
        if kind in ("socket", "connect"):
            found.append(line[:200])
            continue
        for path in _QUOTED.findall(rest)[:2]:
            real = os.path.realpath(path) if path.startswith("/") else path
            is_own = kind == "execve" and path.endswith("/uname")  # of Python's platform module
            if path.startswith("/") and not is_own and not f"{real}/".startswith(allowed):
                found.append(f"{kind} {path[:150]}")
    return found


def allowed_folders(maps: Path) -> tuple[str, ...]:
    """Prefixes of paths that a Python process may open."""
    python = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path, str(ROOT)}
    system = ("/usr", "/lib", "/lib64", "/proc", "/sys", "/dev", "/etc/ld.so.cache", "/etc/ssl",
              "/etc/localtime", "/etc/locale.alias", tempfile.gettempdir())  # fmt: skip
    caches = (str(default_folder()), platformdirs.user_cache_dir())
    wanted = {*python, *system, *caches, str(maps)} - {""}
    return tuple(f"{os.path.realpath(each)}/" for each in wanted)


@click.command()
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path, exists=True))
@click.argument("photo", type=click.Path(path_type=Path, exists=True))
@click.option("--count", default=200, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Scratch, not below /tmp.")
@results_option
def main(
    map_folder: Path, photo: Path, count: int, seed: int, folder: Path | None, results: Path | None
) -> None:
    """Print a table of outcomes, and each call that reaches outside."""
    scratch = Path(tempfile.mkdtemp(prefix="strangers-", dir=folder or Path.home()))
    try:
        made = make_maps(scratch / "maps", map_folder, scratch / "private", count, seed)
        shutil.copyfile(photo, scratch / "maps" / f"query{photo.suffix}")
        trace = scratch / "trace"
        arguments = (scratch / "maps", scratch / "maps" / f"query{photo.suffix}")
        command = [
            "strace", "-f", "-qq", "-s", "400", "-o", str(trace), "-e", f"trace={CALLS}",
            *python_command("pipelines.benchmarks.robustness.strangers_worker", *arguments),
        ]  # fmt: skip
        # modules of the checkout, wherever this is run
        environment = {**python_environment(), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        _report(done, trace, allowed_folders(scratch / "maps"), made, results)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _report(
    done: subprocess.CompletedProcess[str],
    trace: Path,
    allowed: tuple[str, ...],
    made: int,
    results: Path | None,
) -> None:
    lines = [line.split("\t")[1:] for line in done.stdout.splitlines() if "OUTCOME" in line]
    codes = Counter(code for _, code, _, _ in lines)
    faults = [line for line in lines if line[1] not in ("0", "2")]
    reached = outside(trace, allowed)
    good = next(line for line in lines if line[0] == "good")
    table = Table(
        "Maps of strangers",
        ("maps", "opened", "refused", "tracebacks or killed", "calls outside", "slowest / s",
         "most memory / MB", "of the good map / MB"),
        notes="Each map carries one harm; a photo was localized in each, watched by strace.",
    )  # fmt: skip
    table.add(
        made, codes["0"] - 2, codes["2"], len(faults), len(reached),
        max(float(line[2]) for line in lines), max(int(line[3]) for line in lines), int(good[3]),
    )  # fmt: skip
    for line in (*faults, *reached[:20]):
        print(line)
    print(done.stderr[-3000:], file=sys.stderr)
    if results is None:
        print(done.stdout)
    table.write(results)
    if faults or reached or len(lines) != made + 2:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
