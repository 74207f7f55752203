"""Text of a map's assessment, from the plain values that report.json keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hloc_lite.errors import counted

SHOWN_CAMERAS = 6
"""Cameras named for each kind of doubt; report.json has all of them."""
KINDS = {
    "position": "their position is uncertain (standard deviation in % of the cameras' spread)",
    "rotation": "their rotation is uncertain (standard deviation)",
    "agreement": "their matches contradict their pose (share that agrees)",
    "link": "few points join them to the others (points shared with one of them)",
    "look-alike": "images at the same place do not match them: places that look alike may be "
    "merged (number)",
    "gps": "they lie far from their GPS position",
}
"""Kind of doubt about a camera -> its text."""


def assessment_lines(assessment: Mapping[str, Any]) -> list[str]:
    """Lines that tell an assessment, at most one for each kind of doubt and two for each reason.

    Args:
        assessment: result of ``MapAssessment.to_json``.
    """
    cameras = assessment["cameras"]
    doubtful = [name for name, each in cameras.items() if each["reasons"]]
    if not assessment["doubtful"]:
        return [
            f"assessment: no doubt about any of {counted(len(cameras), 'camera')}{_worst(cameras)}"
        ]
    if assessment["reasons"]:
        lines = ["assessment: DOUBTFUL, the whole map"]
        lines += [f"  {reason}" for reason in assessment["reasons"]]
    else:
        lines = [f"assessment: DOUBTFUL, {len(doubtful)} of {counted(len(cameras), 'camera')}"]
    for kind, text in KINDS.items():
        named = {name: each for name, each in cameras.items() if kind in each["reasons"]}
        if named:
            shown = [f"{name} {_value(each, kind)}" for name, each in named.items()]
            more = f", and {len(shown) - SHOWN_CAMERAS} more" if len(shown) > SHOWN_CAMERAS else ""
            lines.append(f"  {len(named)}: {text}: {', '.join(shown[:SHOWN_CAMERAS])}{more}")
    return lines


def _worst(cameras: Mapping[str, Any]) -> str:
    """The least certain position, if uncertainties are known."""
    sigmas = {n: each["position_sigma"] for n, each in cameras.items() if "position_sigma" in each}
    if not sigmas:
        return ""
    name = max(sigmas, key=lambda each: sigmas[each])
    return (
        f"; the least certain position is that of {name}, with a standard deviation of "
        f"{100 * sigmas[name]:.2g} % of the cameras' spread"
    )


def _value(camera: Mapping[str, Any], kind: str) -> str:
    """The number behind a doubt."""
    if kind == "position":
        return f"{100 * camera['position_sigma']:.2g} %"
    if kind == "rotation":
        return f"{camera['rotation_sigma_deg']:.2g} deg"
    if kind == "agreement":
        return f"{100 * camera['agreement']:.0f} %"
    if kind == "gps":
        return f"{camera['gps_error_m']:.0f} m"
    return str(camera["link"] if kind == "link" else camera["contradicting"])
