"""Text printed by ``hloc-lite map``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hloc_lite.cli.map_depth import depth_lines
from hloc_lite.cli.options import say
from hloc_lite.mapping.assessment_text import assessment_lines

SHOWN_FAILURES = 10


def print_summary(output: Path, report: Mapping[str, Any]) -> None:
    """Print the size and accuracy of a map, the first images left out, and the time per stage."""
    error_px = report["mean_reprojection_error_px"]
    say(
        f"{output}: {report['registered']} of {report['images_given']} images registered, "
        f"{report['points']} points, mean track length {report['mean_track_length']:.1f}"
        + (f", mean reprojection error {error_px:.2f} px" if error_px is not None else "")
    )
    left_out = {name: image for name, image in report["images"].items() if "reason" in image}
    for name, image in list(left_out.items())[:SHOWN_FAILURES]:
        problem = "no points" if image["registered"] else "not registered"
        say(f"  {problem}: {name}: {image['reason']}")
    if len(left_out) > SHOWN_FAILURES:
        say(f"  and {len(left_out) - SHOWN_FAILURES} more, see {output / 'report.json'}")
    for line in assessment_lines(report["assessment"]) if "assessment" in report else ():
        say(f"  {line}")
    if "landmarks" in report:
        counts = report["landmarks"]
        say(f"  labels: {counts['labelled']} of {counts['landmarks']} points are labelled")
    for line in depth_lines(report["depth"]) if "depth" in report else ():
        say(f"  {line}")
    times = ", ".join(f"{stage} {s:.1f} s" for stage, s in report["timings_s"].items())
    say(f"  time: {times}")
