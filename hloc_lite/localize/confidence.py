"""Files of coefficients of the confidence model: the one shipped with the package, or a user's."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import tomli_w
from pydantic import ValidationError

from hloc_lite.config import ConfidenceConfig, fingerprint
from hloc_lite.errors import FormatError
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.regular_files import check_regular
from hloc_lite.pose.confidence import Calibration
from hloc_lite.pose.quality import QUALITY_FEATURES, VIEW

SHIPPED = "confidence.toml"
MAX_FILE_BYTES = 1 << 16
"""Size limit; the shipped file has 2 kB."""


def load_calibration(config: ConfidenceConfig) -> Calibration | None:
    """Coefficients that a config selects; None if ``confidence.enabled`` is false.

    Raises:
        FormatError: see ``read_calibration``.
    """
    if not config.enabled:
        return None
    if config.file:
        return read_calibration(Path(config.file))
    return parse_calibration(
        files("hloc_lite.localize").joinpath(SHIPPED).read_text("utf-8"), SHIPPED
    )


def model_fingerprint(calibration: Calibration) -> str:
    """Fingerprint of the coefficients of a confidence model: what was learned with it names it.

    The term of views is left out: maps learn from stored features, which nobody can look at.
    """
    values = calibration.model_dump(mode="json")
    values["terms"].pop(VIEW, None)
    return fingerprint(values)


def read_calibration(path: Path) -> Calibration:
    """Read a file of ``write_calibration``.

    Raises:
        FormatError: missing, too large, damaged, or with features unknown to this version.
    """
    check_regular(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FormatError(
            f"cannot read the confidence coefficients {path}: {error.strerror or error}"
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(
            f"{path} is larger than {MAX_FILE_BYTES >> 10} KiB: not a file of coefficients"
        )
    try:
        return parse_calibration(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8 text (byte {error.start})") from None


def parse_calibration(text: str, source: str) -> Calibration:
    """Parse the TOML text of a file of coefficients.

    Args:
        source: name of the file, for error messages.

    Raises:
        FormatError: not TOML, or not a valid ``Calibration``.
    """
    try:
        return Calibration.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise FormatError(
            f"{source} has bad confidence coefficients: {key or 'file'}: {first['msg']}; write it "
            f"anew with pipelines/calibration/confidence.py, or leave confidence.file empty"
        ) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{source} is not readable TOML: {error}") from None


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a commented TOML file for ``read_calibration``; numbers keep 6 significant digits.

    Raises:
        HlocLiteError: it cannot be written.
    """
    comments = [
        "# Probability that a pose is correct: 1 / (1 + exp(-(intercept + sum of coefficient *",
        "# (feature - center) / scale))), times the probability that the pose's own uncertainty",
        "# leaves it within the bounds. Written by pipelines/calibration/confidence.py.",
        "#",
        "# learned: added to the intercept where matches come from a learned matcher",
        "# bounds: largest errors of a correct pose",
        *(f"# traits.{name}: {QUALITY_FEATURES[name].meaning}" for name in calibration.terms),
    ]
    values = {
        "intercept": _rounded(calibration.intercept),
        "learned": _rounded(calibration.learned),
        "bounds": calibration.bounds.model_dump(),
        "fitted": calibration.fitted.model_dump(),
        "traits": {
            name: {key: _rounded(value) for key, value in term.model_dump().items()}
            for name, term in calibration.terms.items()
        },
    }
    write_text_atomic(path, "\n".join(comments) + "\n\n" + tomli_w.dumps(values))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
