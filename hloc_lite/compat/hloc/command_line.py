"""Running of hloc's scripts from the command line."""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hloc_lite.errors import HlocLiteError


def run(
    main: Callable[..., Any],
    paths: str = "",
    *,
    optional: str = "",
    flags: str = "",
    numbers: str = "",
    texts: str = "",
    confs: dict[str, dict[str, Any]] | None = None,
    default_conf: str = "",
) -> None:
    """Parse the command line and call a script's ``main`` with what was given.

    Args:
        main: function of the script; omitted options keep its defaults.
        paths: names of required paths, separated by spaces.
        optional: names of optional paths.
        flags: names of flags.
        numbers: names of options that take a number.
        texts: names of options that take text.
        confs: configurations to choose from by ``--conf``.
        default_conf: the one without ``--conf``.
    """
    parser = ArgumentParser(description=(main.__doc__ or "").partition("\n")[0])
    for name in paths.split():
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in optional.split():
        parser.add_argument(f"--{name}", type=Path)
    for name in flags.split():
        parser.add_argument(f"--{name}", action="store_true", default=None)
    for name in numbers.split():
        parser.add_argument(f"--{name}", type=float)
    for name in texts.split():
        parser.add_argument(f"--{name}")
    if confs is not None:
        parser.add_argument("--conf", default=default_conf, choices=list(confs))
    given = {key: value for key, value in vars(parser.parse_args()).items() if value is not None}
    if confs is not None:
        given["conf"] = confs[given["conf"]]
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        main(**given)
    except HlocLiteError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
