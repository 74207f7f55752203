"""``hloc-lite doctor``: checks of the installation, with a remedy for each problem."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import say, say_block, say_json

if TYPE_CHECKING:
    from hloc_lite.io.diagnostics import Finding


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--offline", is_flag=True, help="Treat weights that would be downloaded as missing.")
@click.pass_context
def command(ctx: click.Context, as_json: bool, offline: bool) -> None:
    """Check the installation and name a remedy for each problem.

    Packages, devices, network weights and native libraries are checked. The exit code is 0 if
    the default pipeline can run here, else 2.
    """
    from hloc_lite.config import load_config
    from hloc_lite.io.diagnostics import diagnose, is_well
    from hloc_lite.io.weights import WeightsStore

    findings = diagnose(WeightsStore(offline=offline), load_config())
    well = is_well(findings)
    if as_json:
        report = {"ok": well, "findings": [finding.as_dict() for finding in findings]}
        say_json(report)
    else:
        for section, members in groupby(findings, key=lambda finding: finding.section):
            click.echo(click.style(section, bold=True))
            for finding in members:
                say_block(_line(finding))
        say(
            "The default pipeline can run here."
            if well
            else "The default pipeline cannot run here: see the lines marked !!"
        )
    if not well:
        ctx.exit(2)


def _line(finding: Finding) -> str:
    mark = "  " if finding.ok else "!!" if finding.required else " -"
    line = f" {mark} {finding.name:<28}{finding.value}"
    return line + (f"\n{'':<8}-> {finding.remedy}" if finding.remedy else "")
