"""``hloc-lite calibrate``: tests a map on its own photos, and stores what it learns."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hloc_lite.cli.options import runtime_options, say, show_progress, trust_option
from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from hloc_lite.maps.calibration import MapCalibration
    from hloc_lite.maps.map import Map

SHOWN_PLACES = 5


@click.command("calibrate")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Test no further photo after this time.  [default: until self_test.max_images]",
)
@trust_option
@runtime_options
def command(
    map_folder: Path, seconds: float | None, trust: bool, device: str, offline: bool
) -> None:
    """Test MAP on its own photos, and learn how sure it may be.

    Each photo is localized in the map without itself, which should give its known pose, and in the
    map without all images that share its view, where any pose is wrong. No photo is read: the map
    keeps their features. The confidence of later queries is corrected by what is learned.
    """
    from hloc_lite.maps.map import Map

    if seconds is not None and math.isnan(seconds):
        raise ConfigError("--seconds: expected a number above 0, got nan")
    sfm_map = Map.open(map_folder, trust=trust)
    calibrate(map_folder, sfm_map, seconds, device=device, offline=offline)


def calibrate(
    folder: Path, sfm_map: Map, seconds: float | None, *, device: str, offline: bool
) -> None:
    """Calibrate an open map, store the calibration in its folder, and print a summary.

    Raises:
        HlocLiteError: see ``calibrate_stored_map``.
    """
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.localize.stored_calibration import calibrate_stored_map

    start = time.perf_counter()
    found = calibrate_stored_map(
        folder,
        sfm_map,
        seconds,
        progress=_progress if show_progress() else None,
        weights=WeightsStore(offline=offline),
        device=device,
    )
    for line in describe(found, sfm_map.config.confidence.min_confidence):
        say(line)
    say(f"  time: self-test {time.perf_counter() - start:.1f} s")


def describe(calibration: MapCalibration, min_confidence: float) -> list[str]:
    """Describe what a map has learned about itself, a line each.

    Args:
        min_confidence: confidence from which a pose is given.
    """
    import numpy as np

    from hloc_lite.maps.calibration import SelfTestKind

    lines = []
    titles = {
        SelfTestKind.SELF_LEFT_OUT: "photos in the map without themselves",
        SelfTestKind.NEIGHBOURHOOD_LEFT_OUT: "photos in the map without their neighbourhood",
    }
    for kind, title in titles.items():
        answers = calibration.answers.of_kind(kind)
        given = answers.has_pose & (answers.confidences >= min_confidence)
        wrong = int((given & answers.is_wrong).sum())
        lines.append(
            f"  self-test: {len(answers)} {title}: {int(given.sum()) - wrong} right, {wrong} given "
            f"but wrong, {len(answers) - int(given.sum())} withheld"
        )
    places = calibration.confused_images
    if places:
        shown = ", ".join(f"{a} and {b} ({c:.2f})" for a, b, c in places[:SHOWN_PLACES])
        more = f", and {len(places) - SHOWN_PLACES} more" if len(places) > SHOWN_PLACES else ""
        lines.append(f"  places that look alike: {shown}{more}")
    known = calibration.repeatability[np.isfinite(calibration.repeatability)]
    if len(known):
        share = f"{100 * float(known.mean()):.0f} %"
        lines.append(f"  landmarks: seen in {share} of the images that should see them")
    return lines


def _progress(rows: Sequence[Any]) -> Any:
    from tqdm import tqdm

    return tqdm(rows, desc="self-test")
