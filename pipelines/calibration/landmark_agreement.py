"""Fits the coefficient of ``landmarks`` on real maps, beside the other terms, which stay.

    python -m pipelines.calibration.landmark_agreement MAP ... --joined MAP MAP --town MAP TOWN

Rendered towns for the other terms have few places that look alike, and wrong poses of photos of
another town say little about them. Here photos are localized in their own map without their
neighbourhood, in two maps joined, or without their twin street (``robustness.look_alikes``). Only
poses that the other terms do not rule out count. Prints the coefficient from all scenes, and the
figures of each scene under the coefficient of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from scipy.special import expit

from hloc_lite.config import ConfidenceConfig
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.map_confidence import LANDMARKS
from hloc_lite.localize.self_test import SelfTest, SelfTestAnswer
from hloc_lite.logistic_regression import fit_logistic
from hloc_lite.maps.calibration import SelfTestKind
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import MAX_DEVIATION, Calibration
from hloc_lite.types import Float64
from pipelines.benchmarks.robustness.look_alikes import join_maps, twin_answers
from pipelines.calibration.metrics import probability_metrics

MIN_LOG_ODDS = -2.0
"""Log odds by the other terms below which a pose is ruled out in any case (probability 0.12)."""
RIDGE = 0.3
"""L2 penalty on the coefficient, in poses."""


@click.command()
@click.argument("maps", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--joined", nargs=2, multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--town", "towns", nargs=2, multiple=True, help="MAP and the town's folder.",
              type=click.Path(path_type=Path, exists=True))  # fmt: skip
def main(
    maps: tuple[Path, ...],
    joined: tuple[tuple[Path, Path], ...],
    towns: tuple[tuple[Path, Path], ...],
) -> None:
    """Collect the answers, fit, and print."""
    scenes: dict[str, list[SelfTestAnswer]] = {}
    for folder in maps:
        test = _test(Map.open(folder))
        found = [test.answer(name, kind) for kind in SelfTestKind for name in test.names(kind)]
        scenes.setdefault(_scene(folder), []).extend(found)
    for first, second in joined:
        test, kind = _test(join_maps(Map.open(first), Map.open(second))), SelfTestKind(1)
        names = [name for name in test.names(kind) if name.startswith("0/")]
        scenes.setdefault(_scene(first), []).extend(test.answer(name, kind) for name in names)
    for folder, town in towns:
        sfm_map = replace(Map.open(folder), calibration=None)
        scenes.setdefault(_scene(folder), []).extend(twin_answers(sfm_map, town))
    calibration = load_calibration(ConfidenceConfig())
    assert calibration is not None
    others = _without_landmarks(calibration)
    print_held_out(scenes, others)
    everything = [each for found in scenes.values() for each in found]
    print(f"coefficient of {LANDMARKS} from all scenes: {fit(everything, others):.2f}")


def fit(answers: Sequence[SelfTestAnswer], others: Calibration) -> float:
    """Coefficient of ``landmarks`` (center 0, scale 1) beside the other terms."""
    offsets, values, is_right = _columns(answers, others)
    hard = offsets > MIN_LOG_ODDS
    found = fit_logistic(values[hard][:, None], is_right[hard], offsets=offsets[hard], ridge=RIDGE)
    return float(found.coefficients[0])


def print_held_out(scenes: Mapping[str, Sequence[SelfTestAnswer]], others: Calibration) -> None:
    """Print the metrics of each scene under the coefficient of the other scenes."""
    for scene, answers in scenes.items():
        rest = [each for name, found in scenes.items() if name != scene for each in found]
        offsets, values, is_right = _columns(answers, others)
        coefficient = fit(rest, others) if rest else 0.0
        for title, log_odds in (
            ("without", offsets),
            (f"{coefficient:.2f}", offsets + coefficient * values),
        ):
            metrics = probability_metrics(expit(log_odds), is_right)
            print(f"{scene}, {LANDMARKS} {title}: {metrics}")


def _columns(
    answers: Sequence[SelfTestAnswer], others: Calibration
) -> tuple[Float64, Float64, np.ndarray]:
    """(K,) log odds by the other terms, evidence from landmarks, and correctness of the poses."""
    known = [each for each in answers if each.has_pose]
    offsets = [
        others.log_odds(each.features) + (others.learned if each.is_learned else 0.0)
        for each in known
    ]
    values = [max(each.features.get(LANDMARKS, 0.0), -MAX_DEVIATION) for each in known]
    return np.array(offsets), np.array(values), np.array([not each.is_wrong for each in known])


def _without_landmarks(calibration: Calibration) -> Calibration:
    terms = {name: term for name, term in calibration.terms.items() if name != LANDMARKS}
    return calibration.model_copy(update={"terms": terms})


def _test(sfm_map: Map) -> SelfTest:
    return SelfTest(Localizer(replace(sfm_map, calibration=None)))


def _scene(folder: Path) -> str:
    """Name of the scene of a map folder SCENE-FEATURES."""
    return folder.name.partition("-")[0]


if __name__ == "__main__":
    main()
