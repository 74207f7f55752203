"""Options about the scoring of poses, which several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def scoring_options(function: F) -> F:
    """Add --thresholds, --strict, --unit-length, --by-folder, --group and --seed."""
    options = (
        click.option(
            "--thresholds",
            multiple=True,
            metavar="T",
            help="Accuracy thresholds: 0.25m,2deg, aachen or inloc, if poses are in metres; "
            "0.25,2deg in map units; or 1%,0.5deg (with --unit-length). Several may follow, and "
            "the option may be given several times.  [default: the numbers of aachen, in map "
            "units]",
        ),
        click.option(
            "--strict",
            is_flag=True,
            help="Count errors below the thresholds only, as hloc and LaMAR do, not those equal "
            "to them.",
        ),
        click.option(
            "--unit-length",
            type=float,
            metavar="LENGTH",
            help="Report distances in percent of this length (map units), for maps without "
            "metric scale.",
        ),
        click.option(
            "--by-folder",
            is_flag=True,
            help="Group queries by the first folder in which their names differ.",
        ),
        click.option(
            "--group",
            "groups",
            multiple=True,
            metavar="NAME=A,B",
            help="Further row of several conditions; NAME=!A,B for all but these.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Seed of the bootstrap.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function
