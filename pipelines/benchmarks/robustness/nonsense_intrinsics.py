"""Localizes with nonsense intrinsics: 18 camera models, 40 magnitudes of each parameter.

    python -m pipelines.benchmarks.robustness.nonsense_intrinsics [--model MODEL]

The queries are those of a made scene, seen by a plausible camera of the model with half a pixel of
noise. One parameter, or all of the distortion, is then given wrongly. No pose with a confidence of
0.5 may be given that is more than 10 standard deviations, as it states them, from the truth, and
nothing but our own errors may be raised. Takes three minutes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import pytest

from hloc_lite.config import load_config
from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.camera_models import CAMERA_MODELS
from hloc_lite.localize.intrinsics_check import pose_difference
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, LocalizationResult, Rigid3, Status
from pipelines.benchmarks.table import Table, results_option
from tests.exact_scene import SIZE, ExactScene, mapped_scene, use_scene
from tests.weights_stores import NoWeights

_STEPS = (1e-307, 1e-12, 1e-4, 1e-2, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 100.0, 1e3,
          1e5, 1e160, 1e307)  # fmt: skip
MAGNITUDES = (0.0, *_STEPS, *(-step for step in _STEPS), math.inf, -math.inf, math.nan)
"""Values of a parameter; of focal lengths and principal points also multiples of the true one."""
MAX_SIGMAS = 10.0
QUERY = 5
"""Camera of the scene that no image of the map has."""
NOISE_PX = 0.5
_FOCALS_PX = {"EUCM": 330.0, "FOV": 280.0}


@dataclass(frozen=True)
class Trial:
    """One camera that was given."""

    model: str
    what: str
    value: float
    outcome: str
    """``refused``, ``no pose``, ``right``, ``WRONG`` or ``EXCEPTION``."""
    note: str = ""


def true_camera(model: str) -> Camera:
    """Plausible camera of a model."""
    width, height = SIZE
    found = CAMERA_MODELS[model]
    if found.num_focals == 0:
        return Camera(model, width, height, np.array([width, height], np.float64))
    focals = [_FOCALS_PX.get(model, 300.0)] * found.num_focals
    extra = list(found.neutral) or [0.0] * (found.num_params - found.extra_start)
    if model == "EUCM":
        extra = [0.5, 1.0]
    if model == "FOV":
        extra = [0.5]
    return Camera(model, width, height, np.array([*focals, width / 2, height / 2, *extra]))


def nonsense_cameras(model: str) -> Iterator[tuple[str, float, Camera]]:
    """Name of what is wrong, its magnitude, and the camera."""
    camera = true_camera(model)
    found = CAMERA_MODELS[model]
    names, start = found.param_names, found.extra_start
    single: dict[str, list[int]] = {name: [place] for place, name in enumerate(names)}
    groups = single | ({"distortion": list(range(start, len(names)))} if start < len(names) else {})
    if found.num_focals == 2:
        groups["focal lengths"] = [0, 1]
    for what, places in groups.items():
        for value in MAGNITUDES:
            params = camera.params.copy()
            for place in places:
                is_multiple = place < start or found.num_focals == 0
                with np.errstate(all="ignore"):
                    params[place] = params[place] * value if is_multiple else value
            yield what, value, replace(camera, params=params)


def trials(scene: ExactScene, sfm_map: Map, model: str) -> Iterator[Trial]:
    """Outcomes of all cameras of a model; the scene must be that of the map."""
    seen = replace(scene, camera=true_camera(model), noise_px=NOISE_PX)
    with pytest.MonkeyPatch.context() as patch:
        use_scene(patch, seen)
        config = load_config(base=sfm_map.config, settings=["confidence.min_confidence=0.5"])
        localizer = Localizer(sfm_map, config, weights=NoWeights())
        photo, true = scene.image(QUERY), scene.poses[QUERY]
        for what, value, camera in nonsense_cameras(model):
            try:
                result = localizer.localize(photo, camera)
            except HlocLiteError as error:
                yield Trial(model, what, value, "refused", str(error))
            except Exception as error:
                yield Trial(model, what, value, "EXCEPTION", repr(error))
            else:
                yield _judged(Trial(model, what, value, ""), result, true)


def _judged(trial: Trial, result: LocalizationResult, true: Rigid3) -> Trial:
    if result.status == Status.UNREADABLE:
        return replace(trial, outcome="refused", note=result.reason)
    pose = result.pose
    if result.status != Status.LOCALIZED or pose is None:
        return replace(trial, outcome="no pose", note=result.reason)
    assert pose.covariance is not None
    offset = pose_difference(true, pose.cam_from_world)[3:]
    sigmas = float(np.sqrt(offset @ np.linalg.solve(pose.covariance[3:, 3:], offset)))
    note = (
        f"confidence {result.confidence:.2f}, {np.linalg.norm(offset):.3g} off, {sigmas:.3g} sigma"
    )
    return replace(trial, outcome="right" if sigmas <= MAX_SIGMAS else "WRONG", note=note)


@click.command(help=__doc__)
@click.option("--model", "models", multiple=True, help="Only these camera models.")
@results_option
def main(models: tuple[str, ...], results: Path | None) -> None:
    kinds = ("refused", "no pose", "right", "WRONG", "EXCEPTION")
    table = Table(
        "Nonsense intrinsics",
        ["camera model", "cameras", *kinds],
        f"{len(MAGNITUDES)} magnitudes of each parameter. Wrong: given with a confidence of 0.5, "
        f"and more than {MAX_SIGMAS:g} of its standard deviations off.",
    )
    everything: list[Trial] = []
    with mapped_scene() as (scene, sfm_map):
        for model in models or CAMERA_MODELS:
            done = list(trials(scene, sfm_map, model))
            for trial in done:
                if trial.outcome.isupper():
                    click.echo(
                        f"{trial.outcome} {model}, {trial.what} {trial.value:g}: {trial.note}"
                    )
            table.add(model, len(done), *(sum(t.outcome == kind for t in done) for kind in kinds))
            everything += done
    table.add(
        "all", len(everything), *(sum(t.outcome == kind for t in everything) for kind in kinds)
    )
    table.write(results)
    sys.exit(any(trial.outcome.isupper() for trial in everything))


if __name__ == "__main__":
    main()
