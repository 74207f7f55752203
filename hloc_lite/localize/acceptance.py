"""Acceptance of poses: the confidence from which they are given, and the promise behind it.

Without a promise it is ``confidence.min_confidence``. A promise (``confidence.max_wrong``) changes
only which answers are given, never how they are searched: so answers stay comparable with those
that the threshold was learned on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import numpy as np

from hloc_lite.config import ConfidenceConfig
from hloc_lite.config.weighting import LEAST_PROMISE
from hloc_lite.errors import ConfigError
from hloc_lite.maps.calibration import MapCalibration, SelfTestKind
from hloc_lite.risk_control import (
    THRESHOLDS,
    KnownAnswers,
    answers_needed,
    contradicts,
    lowest_empirical_threshold,
    lowest_safe_threshold,
    wrong_and_given,
)


@dataclass(frozen=True)
class Acceptance:
    """Confidence from which poses are given."""

    threshold: float
    """Least confidence of a pose that is given; above 1 if none is."""
    max_wrong: float | None = None
    """Promised share of given answers that may be wrong; None without a promise."""
    is_shown: bool = True
    """False if no set of known answers was large enough to show the promise."""
    statement: str = ""
    """The promise and its grounds in one sentence; empty without a promise."""


class Promises:
    """Acceptance under each promise that queries ask for.

    Args:
        config: config of the confidence; its ``max_wrong`` is the default.
        own: answers about the map's own photos; None if the map was not calibrated.
        load_shipped: loads the answers of other scenes, called at the first promise.
    """

    def __init__(
        self,
        config: ConfidenceConfig,
        own: KnownAnswers | None,
        load_shipped: Callable[[], Sequence[KnownAnswers]],
    ) -> None:
        self._config, self._own, self._load_shipped = config, own, load_shipped
        self._chosen: dict[float | None, Acceptance] = {}

    @cached_property
    def _shipped(self) -> Sequence[KnownAnswers]:
        return self._load_shipped()

    def acceptance(self, max_wrong: float | None = None) -> Acceptance:
        """Acceptance under a promise.

        Args:
            max_wrong: share of given answers that may be wrong; None for that of the config.

        Raises:
            ConfigError: a share that is not from ``LEAST_PROMISE`` to 1, or confidence is disabled.
        """
        share = self._config.max_wrong if max_wrong is None else max_wrong
        if share not in self._chosen:
            config = self._config.model_copy(update={"max_wrong": check_max_wrong(share)})
            if share is not None and not config.enabled:
                raise ConfigError("a promise (max_wrong) needs confidence.enabled=true")
            shipped = () if share is None else self._shipped
            self._chosen[share] = choose_acceptance(config, self._own, shipped)
        return self._chosen[share]


def choose_acceptance(
    config: ConfidenceConfig, own: KnownAnswers | None, shipped: Sequence[KnownAnswers]
) -> Acceptance:
    """Choose the threshold of ``config.max_wrong``.

    It keeps the promise both on the map's own answers and on those of other scenes: a map's own
    photos know its look-alike places, but neither another light nor another season. The others show
    the promise. If enough of the own answers are given and break it, they must show it, too; fewer
    may contradict it, and raise the threshold. Where it cannot be shown, only answers from
    ``config.cautious_confidence`` on are given, or from where the share wrong of the shipped
    answers is small enough.

    Args:
        own: answers about the map's own photos; None if the map was not calibrated.
        shipped: answers of other scenes by the same confidence model, one set for each kind of
            scenes. Each set that is large enough must show the promise by itself.
    """
    if config.max_wrong is None:
        return Acceptance(config.min_confidence)
    if config.max_wrong == 1:
        return Acceptance(0.0, 1.0, statement="every pose is given, however doubtful")
    rule = (config.max_wrong, config.delta, config.unmapped_share)
    by_own = None if own is None else lowest_safe_threshold(own, *rule)
    needed = answers_needed(config.max_wrong, config.delta)
    by_shipped = [lowest_safe_threshold(each, *rule) for each in shipped if len(each) >= needed]
    shown = [threshold for threshold in by_shipped if threshold is not None]
    is_shown = len(shown) == len(by_shipped) and bool(shown or (by_own and not shipped))
    threshold = max([config.promise_floor, *shown])
    if own is not None and (not shown or _breaks(own, threshold, config)):
        is_shown &= by_own is not None
        threshold = max(threshold, by_own or 0.0)
    if not is_shown:
        threshold = max(threshold, config.cautious_confidence)
    for each in () if is_shown else shipped:
        threshold = lowest_empirical_threshold(
            each, config.max_wrong, config.unmapped_share, threshold
        )
    if own is not None:
        threshold = _least_uncontradicted(own, threshold, rule)
    statement = _statement(config, own, shipped, by_own, threshold, is_shown=is_shown)
    return Acceptance(threshold, config.max_wrong, is_shown, statement)


def _breaks(own: KnownAnswers, threshold: float, config: ConfidenceConfig) -> bool:
    """Return True if enough own answers are given, and too large a share of them is wrong."""
    assert config.max_wrong is not None
    num_wrong, num_given = wrong_and_given(own, threshold, config.unmapped_share)
    is_enough = num_given >= answers_needed(config.max_wrong, config.delta)
    return is_enough and num_wrong > config.max_wrong * num_given


def own_answers(calibration: MapCalibration | None) -> KnownAnswers | None:
    """Answers about a map's own photos; None if the map was not calibrated."""
    if calibration is None or not len(calibration.answers):
        return None
    answers = calibration.answers
    is_unmapped = answers.kinds == SelfTestKind.NEIGHBOURHOOD_LEFT_OUT
    found = answers.has_pose
    return KnownAnswers(
        answers.confidences[found],
        answers.is_wrong[found],
        is_unmapped[found],
        np.zeros(int(found.sum()), np.int64),
        int((~is_unmapped).sum()),
        int(is_unmapped.sum()),
    )


def check_max_wrong(max_wrong: float | None) -> float | None:
    """Return a promised share as it is.

    Raises:
        ConfigError: it is not a number from ``LEAST_PROMISE`` to 1.
    """
    is_number = isinstance(max_wrong, Real) and not isinstance(max_wrong, bool)
    if max_wrong is None or (is_number and LEAST_PROMISE <= max_wrong <= 1):
        return max_wrong
    raise ConfigError(
        f"max_wrong: expected a share from {LEAST_PROMISE:g} to 1, such as 0.01 for 1 %, got "
        f"{max_wrong!r}"
    )


def _least_uncontradicted(
    own: KnownAnswers, threshold: float, rule: tuple[float, float, float]
) -> float:
    """Lowest threshold from the given one on that the map's own answers do not contradict."""
    max_wrong, delta, unmapped_share = rule
    highest_wrong = float(own.confidences[own.is_wrong].max(initial=0.0))
    candidates = [threshold, *THRESHOLDS[threshold < THRESHOLDS]]
    for candidate in candidates:
        if not contradicts(own, candidate, max_wrong, delta, unmapped_share):
            return float(candidate)
    return float(np.nextafter(highest_wrong, 2.0))


def _statement(
    config: ConfidenceConfig,
    own: KnownAnswers | None,
    shipped: Sequence[KnownAnswers],
    by_own: float | None,
    threshold: float,
    *,
    is_shown: bool,
) -> str:
    """The promise and its grounds in one sentence."""
    assert config.max_wrong is not None
    num_own = 0 if own is None else len(own)
    share, needed = f"{100 * config.max_wrong:g} %", answers_needed(config.max_wrong, config.delta)
    given = (
        f"only answers from {shown_threshold(threshold)} on are given"
        if threshold <= 1
        else "no answer is given"
    )
    count = f"this map has {num_own} calibration answer{'s' * (num_own != 1)}"
    if not is_shown:
        return f"{count}, a promise of {share} needs {needed}: not shown, and {given}"
    others = f"{sum(map(len, shipped))} answers of other scenes" if shipped else ""
    if by_own is None:
        return (
            f"at most {share} of the given answers are wrong: {count}, which do not show it alone, "
            f"so it rests on {others}; {given}"
        )
    grounds = f"{num_own} answers of this map" + (f" and {others}" if others else "")
    return f"at most {share} of the given answers are wrong, by {grounds}; {given}"


def shown_threshold(threshold: float) -> str:
    """A threshold with as many digits as it needs, at most five."""
    return f"{threshold:.5g}"
