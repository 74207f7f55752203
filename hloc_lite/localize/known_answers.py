"""Answers whose correctness is known: the file shipped with the package.

``pipelines/calibration/known_answers.py`` collects them in rendered towns and on real photos.
A promise borrows from them where a map's own answers are too few.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.files import write_text_atomic
from hloc_lite.localize.confidence import model_fingerprint
from hloc_lite.pose.confidence import Calibration
from hloc_lite.risk_control import KnownAnswers

SHIPPED = "known_answers.json"
SCHEMA = "hloc_lite.known_answers/1"
MIN_STORED = 0.4
"""Answers of less confidence are not stored: no promise gives them."""
DIGITS = 5


@dataclass(frozen=True)
class AnswerGroup:
    """Answers to photos of one place in the map of one place."""

    kind: str
    """``rendered`` or ``real``: a promise must hold for each kind of scenes by itself."""
    scene: str
    """Name of the mapped place."""
    photos: str
    """Name of the place that the photos show."""
    features: str
    condition: str
    """Condition of the photos, such as day or night."""
    num_photos: int
    """Photos asked for, with or without a pose."""
    confidences: tuple[float, ...]
    is_wrong: tuple[bool, ...]

    @property
    def is_unmapped(self) -> bool:
        """True if the photos show a place that the map lacks."""
        return self.photos != self.scene


def load_known_answers(calibration: Calibration | None) -> tuple[KnownAnswers, ...]:
    """Load the shipped answers by kind of scenes; none if they are of another confidence model.

    Args:
        calibration: coefficients of the confidence model in use; None if it is disabled.

    Raises:
        FormatError: the file is damaged.
    """
    file = files("hloc_lite.localize").joinpath(SHIPPED)
    if calibration is None or not file.is_file():
        return ()
    groups, model = parse_answers(file.read_text("utf-8"), SHIPPED)
    return answers_by_kind(groups) if model == model_fingerprint(calibration) else ()


def answers_by_kind(groups: Sequence[AnswerGroup]) -> tuple[KnownAnswers, ...]:
    """Answers of each kind of scenes."""
    kinds = dict.fromkeys(group.kind for group in groups)
    return tuple(joined_answers([each for each in groups if each.kind == kind]) for kind in kinds)


def joined_answers(groups: Sequence[AnswerGroup]) -> KnownAnswers:
    """Answers of all groups; each mapped place is a scene, whatever the features."""
    names = sorted({group.scene for group in groups})
    counts = [len(group.confidences) for group in groups]
    return KnownAnswers(
        np.array([value for group in groups for value in group.confidences]),
        np.array([value for group in groups for value in group.is_wrong], bool),
        np.repeat([group.is_unmapped for group in groups], counts).astype(bool),
        np.repeat([names.index(group.scene) for group in groups], counts).astype(int),
        sum(group.num_photos for group in groups if not group.is_unmapped),
        sum(group.num_photos for group in groups if group.is_unmapped),
    )


def parse_answers(text: str, source: str) -> tuple[list[AnswerGroup], str]:
    """Parse the text of a file of ``write_answers``.

    Args:
        source: name of the file, for error messages.

    Returns:
        The groups, and the fingerprint of the confidence model that they were made with.

    Raises:
        FormatError: another schema, or keys or values that do not fit.
    """
    try:
        value = json.loads(text)
        if value["schema"] != SCHEMA:
            raise FormatError(f"expected schema {SCHEMA}, got {value['schema']!r}")
        return [_parse_group(each) for each in value["groups"]], str(value["confidence_model"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, FormatError) as error:
        raise FormatError(f"{source} is no file of known answers: {error!r}") from None


def write_answers(
    path: Path,
    groups: Sequence[AnswerGroup],
    calibration: Calibration,
    provenance: Mapping[str, str],
) -> None:
    """Write answers of at least ``MIN_STORED`` confidence for ``parse_answers``.

    Args:
        calibration: coefficients that gave the confidences.
        provenance: command, commit, date and sources.

    Raises:
        HlocLiteError: it cannot be written.
    """
    header = {
        "schema": SCHEMA,
        "provenance": dict(provenance),
        "confidence_model": model_fingerprint(calibration),
    }
    lines = ",\n".join(json.dumps(_group_to_json(group)) for group in groups)
    text = json.dumps({**header, "groups": []}, indent=1)
    write_text_atomic(path, text.replace('"groups": []', f'"groups": [\n{lines}\n]') + "\n")


def _group_to_json(group: AnswerGroup) -> dict[str, Any]:
    rows = [i for i, value in enumerate(group.confidences) if value >= MIN_STORED]
    return {
        "kind": group.kind,
        "scene": group.scene,
        "photos": group.photos,
        "features": group.features,
        "condition": group.condition,
        "num_photos": group.num_photos,
        "right": _rounded(group.confidences[i] for i in rows if not group.is_wrong[i]),
        "wrong": _rounded(group.confidences[i] for i in rows if group.is_wrong[i]),
    }


def _parse_group(value: Mapping[str, Any]) -> AnswerGroup:
    right, wrong = ([float(each) for each in value[key]] for key in ("right", "wrong"))
    outcomes = [False] * len(right) + [True] * len(wrong)
    return AnswerGroup(
        kind=str(value["kind"]),
        scene=str(value["scene"]),
        photos=str(value["photos"]),
        features=str(value["features"]),
        condition=str(value["condition"]),
        num_photos=int(value["num_photos"]),
        confidences=(*right, *wrong),
        is_wrong=tuple(outcomes),
    )


def _rounded(values: Any) -> list[float]:
    return sorted((round(value, DIGITS) for value in values), reverse=True)
