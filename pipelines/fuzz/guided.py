"""Fuzzing by atheris, which keeps inputs that reach new code of hloc_lite."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from hloc_lite.io.temporary_folders import temporary_folder

MEMORY_MB = 4096
"""Limit of the whole process, with torch and the other packages that readers load."""
MAX_INPUT_SECONDS = 20


def fuzz_guided(name: str, seconds: float, seed: int) -> None:
    """Fuzz one target until the time is over or a fault is found; atheris ends the process.

    An input that causes a fault is kept in the current folder as ``crash-...``.

    Raises:
        UsageError: atheris is not installed.
    """
    try:
        import atheris
    except ImportError:
        raise click.UsageError("atheris is not installed: pip install atheris") from None
    with atheris.instrument_imports(include=["hloc_lite"]):
        from pipelines.fuzz.targets import Target
    logging.disable()
    with temporary_folder() as folder:
        target = Target.make(name, folder / "files")
        corpus = folder / "corpus"
        corpus.mkdir()
        for number, data in enumerate(target.seeds()):
            Path(corpus, str(number)).write_bytes(data)
        options = [
            f"-max_total_time={int(seconds)}", f"-seed={seed + 1}", f"-rss_limit_mb={MEMORY_MB}",
            f"-timeout={MAX_INPUT_SECONDS}", "-max_len=65536", "-print_final_stats=1",
        ]  # fmt: skip

        def read(data: bytes) -> None:
            target.read(data)

        atheris.Setup([sys.argv[0], *options, str(corpus)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    fuzz_guided(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
