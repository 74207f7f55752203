"""Calibration of cue exponents on matches known to be right or wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hloc_lite.config import WeightingConfig
from hloc_lite.consistency.cue_combination import CUE_NAMES
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.io.files import write_text_atomic
from hloc_lite.logistic_regression import fit_logistic
from hloc_lite.types import Float64

MIN_FACTOR = 1e-7
"""Lower limit of factors: a single 0 must not determine the fit."""
MAX_EXPONENT = 20.0
"""Upper limit in ``WeightingConfig``."""


@dataclass(frozen=True)
class CalibratedExponents:
    """Logistic model P(right) = 1 / (1 + exp(-(intercept + sum of exponent * ln factor)))."""

    exponents: Mapping[str, float]
    """Exponent >= 0 of each cue by name."""
    intercept: float
    num_rows: int
    num_right: int
    log_loss: float
    """Mean log loss (natural logarithm) on the rows of the fit."""
    base_log_loss: float
    """Mean log loss of the constant share of right rows, for comparison."""

    def to_toml(self) -> str:
        """A config file with the exponents, in which the fitted cues are switched on."""
        off = [name for name in WeightingConfig().off if name not in self.exponents]
        lines = [
            f"# fitted on {self.num_rows} matches, {self.num_right} of them right: log loss "
            f"{self.log_loss:.4f}, {self.base_log_loss:.4f} without cues",
            f"# intercept {self.intercept:.4f}",
            "[weighting]",
            f"off = {json.dumps(off)}",
        ]
        lines += [f"{name} = {value:.4f}" for name, value in self.exponents.items()]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Write ``to_toml()`` to a file."""
        write_text_atomic(path, self.to_toml())


def calibrate_exponents(
    factors: Mapping[str, npt.NDArray[np.floating]],
    right: npt.NDArray[np.bool_],
    *,
    ridge: float = 1.0,
) -> CalibratedExponents:
    """Logistic regression of right and wrong on log factors, with exponents of at least 0.

    Args:
        factors: (R,) factors in [0, 1] of each cue by name; 1 where it has no information.
        right: (R,) True for matches that are right.
        ridge: strength of the L2 penalty on exponents, in matches. It makes the fit unique if
            cues are constant or equal.

    Raises:
        ShapeError: the arrays differ in length.
        ConfigError: a cue is unknown, the ridge is not positive, or all rows are right or all
            wrong.
    """
    right = np.asarray(right, bool)
    unknown = [name for name in factors if name not in CUE_NAMES]
    if unknown or not factors:
        raise ConfigError(f"expected cues among {', '.join(CUE_NAMES)}, got {unknown or 'none'}")
    if not (np.isfinite(ridge) and ridge > 0):
        raise ConfigError(f"ridge must be positive, got {ridge}")
    for name, values in factors.items():
        if np.shape(values) != right.shape or right.ndim != 1:
            raise ShapeError(
                f"factors of {name!r} {np.shape(values)} and right {right.shape} must be (R,)"
            )
    if not 0 < right.sum() < len(right):
        raise ConfigError(
            f"calibration needs right and wrong matches, got {right.sum()} right of {len(right)}"
        )
    names = tuple(sorted(factors, key=CUE_NAMES.index))
    logs = np.log(np.stack([_cleaned(factors[name]) for name in names], axis=1))
    fit = fit_logistic(logs, right, ridge=ridge, max_coefficient=MAX_EXPONENT)
    share = float(right.mean())
    base_log_loss = -share * np.log(share) - (1 - share) * np.log(1 - share)
    exponents = dict(zip(names, fit.coefficients.tolist(), strict=True))
    return CalibratedExponents(
        exponents, fit.intercept, len(right), int(right.sum()), fit.log_loss, float(base_log_loss)
    )


def _cleaned(values: npt.NDArray[np.floating]) -> Float64:
    values = np.asarray(values, np.float64)
    return np.clip(np.where(np.isnan(values), 1.0, values), MIN_FACTOR, 1.0)
