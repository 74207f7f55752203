"""Text printed by ``hloc-lite localize``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hloc_lite.cli.options import note, say
from hloc_lite.config import Config
from hloc_lite.evaluation.records import promises_of
from hloc_lite.formats.hloc_lists import pose_line
from hloc_lite.localize.compatibility import (
    keys_without_effect,
    keys_without_source,
    unused_sources,
)
from hloc_lite.maps.units import length_text
from hloc_lite.types import LocalizationResult

SHOWN_FAILURES = 10


def warn_of_unused_settings(config: Config, map_config: Config, budget_ms: float | None) -> None:
    """Print the settings that have no effect on queries."""
    keys = keys_without_effect(config, map_config)
    if keys:
        note(f"ignored: {', '.join(keys)} (used only to build a map)")
    keys = keys_without_source(config, map_config)
    if keys:
        source = "no source of labels or depth, see --labels and --depth"
        note(f"ignored: {', '.join(keys)} ({source})")
    matching = config.localize.matching
    if budget_ms is not None and matching != "cascade":
        note(f"ignored: --budget-ms (localize.matching is {matching}, which has one step)")


def print_results(
    results: Sequence[LocalizationResult],
    config: Config,
    poses_file: Path | None,
    scale: float | None = None,
) -> None:
    """Print the results.

    Args:
        results: results of all queries.
        config: config of the queries.
        poses_file: file that holds the poses of a folder of queries, which are summarized; None for
            single photos, whose poses are printed.
        scale: metres per map unit; None if unknown.
    """
    if poses_file is not None:
        print_summary(results, poses_file)
    else:
        for result in results:
            print_single(result, scale)
    for line in [*promises_of(results), *unused_sources(results, config)]:
        note(line)


def print_single(result: LocalizationResult, scale: float | None = None) -> None:
    """Print the pose of a photo as a line of a poses file, and more in '#' comments.

    Args:
        scale: metres per map unit; None if unknown.
    """
    total = result.timings_ms.get("total", 0)
    say(f"# {result.query_name}: {result.status}: {result.reason} ({total:.0f} ms)")
    if result.skipped:
        say(f"# skipped for lack of time (--budget-ms): {', '.join(result.skipped)}")
    if result.pose is None:
        if result.fallback is not None:
            say(f"# fallback: pose of the most similar map image, {result.fallback_name!r}")
            say(pose_line(result.query_name, result.fallback))
        return
    pose, camera = result.pose, result.pose.camera
    if result.confidence is not None:
        say(f"# confidence: correct with probability {result.confidence:.2f}")
    if pose.covariance is not None:
        rotation_deg = float(np.degrees(np.sqrt(np.trace(pose.covariance[:3, :3]))))
        position = float(np.sqrt(np.trace(pose.covariance[3:, 3:])))
        say(
            f"# standard deviation: position {length_text(position, scale)}, "
            f"rotation {rotation_deg:.3g} deg"
        )
    else:
        say("# standard deviation: unknown, the inliers do not determine the whole pose")
    parameters = " ".join(f"{value:.6g}" for value in camera.params)
    say(f"# camera: {camera.model} {camera.width} {camera.height} {parameters}")
    center = " ".join(f"{value:.6g}" for value in pose.cam_from_world.center)
    say(f"# camera centre in the map: {center} (map units)")
    say("# name qw qx qy qz tx ty tz (cam_from_world)")
    say(pose_line(result.query_name, pose.cam_from_world))


def print_summary(results: Sequence[LocalizationResult], poses_file: Path) -> None:
    """Print the number of queries per status, and the first failures with their reasons."""
    counts = Counter(str(result.status) for result in results)
    parts = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    median_ms = np.median([result.timings_ms.get("total", 0) for result in results])
    say(f"{poses_file}: {len(results)} queries: {parts}; median {median_ms:.0f} ms per query")
    failed = [result for result in results if result.pose is None]
    for result in failed[:SHOWN_FAILURES]:
        say(f"  {result.query_name}: {result.status}: {result.reason}")
    if len(failed) > SHOWN_FAILURES:
        say(f"  and {len(failed) - SHOWN_FAILURES} more, see --jsonl FILE")
