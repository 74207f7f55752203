"""How likely a pose is right: logistic regression on what speaks for it, times how likely its own
uncertainty leaves it so.

"Right" is within ``Bounds`` of the truth. The coefficients are fitted on rendered towns by
``pipelines/calibrate_confidence.py`` and read from ``confidence.toml``; each trait is turned so
that more of it speaks for the pose, and none may have a negative coefficient: whatever the data,
better traits never lower the probability.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from hloc_lite.config import ConfidenceConfig, Section
from hloc_lite.errors import FormatError
from hloc_lite.io.files import write_text_atomic
from hloc_lite.localize.traits import TRAITS

SHIPPED = "confidence.toml"
MAX_DEVIATION = 3.0
"""In scales of a trait; 99.7 % of normal ones lie nearer."""
MAX_LOG_ODDS = 1e6
"""Of one term: far beyond certainty, and sums of them are finite."""
MAX_FILE_BYTES = 1 << 16
"""The shipped file has 2 kB."""


class Bounds(Section):
    """What a right pose is."""

    distance: float = Field(0.25, gt=0)
    """Of the camera centre, in map units, where these are metres."""
    relative_distance: float = Field(0.025, gt=0)
    """Elsewhere: over the median distance of the inliers."""
    angle_deg: float = Field(2.0, gt=0)


class Term(Section):
    """What one trait adds to the log odds: coefficient (value - center) / scale."""

    center: float
    """Where it says nothing; an unknown value is taken to lie here."""
    scale: float = Field(gt=0)
    coefficient: float = Field(ge=0, le=MAX_LOG_ODDS)

    def deviation(self, value: float) -> float:
        """From the center, in scales, bounded: what was never met in fitting must not decide alone
        (labels that are all wrong at night)."""
        return max(-MAX_DEVIATION, min((value - self.center) / self.scale, MAX_DEVIATION))


class Fitted(Section):
    """What the coefficients were fitted on."""

    seeds: tuple[int, ...]
    """Of the rendered towns."""
    num_poses: int = Field(ge=0)
    num_right: int = Field(ge=0)
    settings: tuple[str, ...] = ()


class Calibration(Section):
    """Coefficients, and where they are from."""

    intercept: float = Field(ge=-MAX_LOG_ODDS, le=MAX_LOG_ODDS)
    """Log odds of a pose whose traits all lie at their centers."""
    learned: float = Field(0.0, ge=-MAX_LOG_ODDS, le=0)
    """Added for poses that matches of a learned matcher have a part in: these agree with one
    another also in a place that only looks alike, as nearest neighbours hardly do."""
    bounds: Bounds = Bounds()
    fitted: Fitted
    traits: dict[str, Term]

    @model_validator(mode="after")
    def _known(self) -> Calibration:
        unknown = sorted(set(self.traits) - set(TRAITS))
        if unknown:
            raise ValueError(f"unknown trait {unknown[0]!r}; known are {', '.join(TRAITS)}")
        return self

    def contributions(self, traits: Mapping[str, float]) -> dict[str, float]:
        """What each trait adds to the log odds; 0 if it is missing or NaN."""
        return {
            name: 0.0
            if math.isnan(value := traits.get(name, math.nan))
            else term.coefficient * term.deviation(value)
            for name, term in self.traits.items()
        }

    def log_odds(self, traits: Mapping[str, float]) -> float:
        """That it is the right place, by nearest neighbours."""
        return self.intercept + math.fsum(self.contributions(traits).values())

    def probability(self, traits: Mapping[str, float], *, learned: bool = False) -> float:
        """In [0, 1]: that a pose of these traits is within the bounds: that it is the right place,
        and that its own uncertainty leaves it within them.

        Args:
            learned: some of its matches are a learned matcher's.
        """
        log_odds = self.log_odds(traits) + (self.learned if learned else 0.0)
        logistic = 0.5 * (1 + math.tanh(0.5 * log_odds))  # without overflow
        return logistic * within(traits.get("certainty", math.nan))


def within(certainty: float) -> float:
    """Probability that a normal error in the most uncertain direction is within its limit.

    A pose of many inliers may be open all the same, as along the optical axis where the focal
    length is estimated. On five rendered towns 47 wrong poses of 3000 are given with this factor,
    57 without.

    Args:
        certainty: -log10 of the standard deviation over the limit; NaN: unknown, nothing is taken.
    """
    return 1.0 if math.isnan(certainty) else math.erf(10 ** min(certainty, 3.0) / math.sqrt(2))


@dataclass(frozen=True)
class Judgement:
    """What is thought of a pose."""

    confidence: float
    """Probability that it is right."""
    grounds: Mapping[str, float]
    """Its traits."""
    doubts: tuple[str, ...]
    """What speaks most against it, in words, the worst first."""


def judge(
    traits: Mapping[str, float], calibration: Calibration, *, learned: bool = False
) -> Judgement:
    """The probability of a pose, and the two of its traits that speak most against it.

    Args:
        learned: some of its matches are a learned matcher's.
    """
    added = calibration.contributions(traits)
    against = sorted((value, name) for name, value in added.items() if value < 0)
    doubts = tuple(TRAITS[name].doubt for _, name in against[:2])
    known = {name: float(value) for name, value in traits.items() if not math.isnan(value)}
    return Judgement(calibration.probability(traits, learned=learned), known, doubts)


def calibration_of(config: ConfidenceConfig) -> Calibration | None:
    """The coefficients that a config names; None if it asks for no confidence.

    Raises:
        FormatError: of ``read_calibration``.
    """
    if not config.enabled:
        return None
    if config.file:
        return read_calibration(Path(config.file))
    return parse_calibration(
        files("hloc_lite.localize").joinpath(SHIPPED).read_text("utf-8"), SHIPPED
    )


def read_calibration(path: Path) -> Calibration:
    """Coefficients of a file of ``write_calibration``.

    Raises:
        FormatError: missing, too large, damaged, or of traits that this version does not know.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FormatError(
            f"cannot read the confidence coefficients {path}: {error.strerror or error}"
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(f"{path} is larger than {MAX_FILE_BYTES >> 10} KiB: no coefficients")
    try:
        return parse_calibration(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8 text (byte {error.start})") from None


def parse_calibration(text: str, where: str) -> Calibration:
    """Coefficients of TOML text; ``where`` it is from, for messages.

    Raises:
        FormatError: not TOML, or not what ``Calibration`` asks for.
    """
    try:
        return Calibration.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise FormatError(
            f"{where} has bad confidence coefficients: {key or 'file'}: {first['msg']}; write it "
            f"anew with pipelines/calibrate_confidence.py, or leave confidence.file empty"
        ) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is not readable TOML: {error}") from None


def write_calibration(path: Path, calibration: Calibration) -> None:
    """A file for ``read_calibration``, and for people.

    Raises:
        HlocLiteError: it cannot be written.
    """
    bounds, fitted = calibration.bounds, calibration.fitted
    lines = [
        "# Probability that a pose is right: 1 / (1 + exp(-(intercept + sum of coefficient *",
        "# (trait - center) / scale))), times the probability that the pose's own uncertainty",
        "# leaves it within the bounds. Written by pipelines/calibrate_confidence.py.",
        f"intercept = {calibration.intercept:.6g}",
        f"learned = {calibration.learned:.6g}  # added where matches are a learned matcher's",
        "",
        "[bounds]  # a right pose is within these",
        f"distance = {bounds.distance!r}",
        f"relative_distance = {bounds.relative_distance!r}",
        f"angle_deg = {bounds.angle_deg!r}",
        "",
        "[fitted]",
        f"seeds = {list(fitted.seeds)}",
        f"num_poses = {fitted.num_poses}",
        f"num_right = {fitted.num_right}",
        "settings = [",
        *(f"    {_quoted(setting)}," for setting in fitted.settings),
        "]",
    ]
    for name, term in calibration.traits.items():
        lines += [
            "",
            f"[traits.{name}]  # {TRAITS[name].meaning}",
            f"center = {term.center:.6g}",
            f"scale = {term.scale:.6g}",
            f"coefficient = {term.coefficient:.6g}",
        ]
    write_text_atomic(path, "\n".join(lines) + "\n")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
