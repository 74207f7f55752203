"""Scores of a file of rankings or predicted landmarks by the protocol of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hloc_lite.errors import HlocLiteError, counted
from hloc_lite.evaluation.retrieval.protocols import RECOGNITION, find_protocol
from hloc_lite.evaluation.retrieval.recognition_gap import recognition_gap
from hloc_lite.evaluation.retrieval.scores import (
    Condition,
    ConditionScores,
    RetrievalReport,
    score_condition,
)
from hloc_lite.evaluation.retrieval.truth_files import ALL, TruthFiles
from hloc_lite.formats.google_landmarks import (
    read_recognition_predictions,
    read_recognition_solution,
)
from hloc_lite.formats.rankings import Rankings, read_rankings
from hloc_lite.formats.retrieval_truth import NameLookup

_GAP = "GAP"
_GAP_RULE = "all predictions by their score; those for images without a landmark are wrong"


def score_file(name: str, rankings: Path, files: TruthFiles) -> RetrievalReport:
    """Score a file by a protocol.

    Args:
        name: see ``protocols.protocol_names``.
        rankings: file of rankings; of predicted landmarks for ``RECOGNITION``.
        files: truth.

    Raises:
        HlocLiteError: an unknown protocol, files that do not belong together, or a truth without a
            right image.
        FormatError: a file that is missing or damaged.
    """
    if name == RECOGNITION:
        _check_names(name, files, False)
        return _score_recognition(rankings, files.path)
    protocol = find_protocol(name)
    _check_names(name, files, protocol.takes_names)
    truths = protocol.read(files)
    asked = [query for each in truths.conditions for query in each.truth.positives]
    known = frozenset[str]().union(*(each.truth.names for each in truths.conditions))
    found = read_rankings(rankings, NameLookup(asked, truths.aliases), NameLookup(known))
    if known and not any(known.intersection(images) for images in found.images.values()):
        example = next(iter(images for images in found.images.values() if images), ["nothing"])
        raise HlocLiteError(
            f"{rankings}: none of its images is one of the truth {files.path}, such as "
            f"{min(known, default='')!r}; it has {example[0]!r}"
        )
    scores = [
        score_condition(each, found.images, protocol.metrics, count_empty=protocol.count_empty)
        for each in truths.conditions
    ]
    notes = _notes(found, truths.conditions[0], scores[0])
    best = {metric.name: metric.most for metric in protocol.metrics}
    return RetrievalReport(name, protocol.rule, best, tuple(scores), tuple(notes))


def _score_recognition(predictions: Path, solution: Path) -> RetrievalReport:
    truth = read_recognition_solution(solution)
    found = read_recognition_predictions(predictions)
    parts = {ALL: frozenset(truth.landmarks), **truth.parts}
    rows = []
    for part, images in parts.items():
        shown = {image: truth.landmarks[image] for image in images}
        if part != ALL and (not any(shown.values()) or found.keys().isdisjoint(shown)):
            continue
        empty = sum(not landmarks for landmarks in shown.values())
        absent = sum(image not in found for image in shown)
        gap = recognition_gap(found, shown)
        rows.append(ConditionScores(part, {_GAP: gap}, len(shown), empty, absent))
    return RetrievalReport(RECOGNITION, _GAP_RULE, {_GAP: 1.0}, tuple(rows))


def _check_names(name: str, files: TruthFiles, takes_names: bool) -> None:
    if not takes_names and (files.query_names is not None or files.map_names is not None):
        raise HlocLiteError(f"the truth of {name} has its own names: give no other names")


def _notes(found: Rankings, condition: Condition, scores: ConditionScores) -> Iterator[str]:
    """Sentences on what may make the scores lower than they should be."""
    if scores.num_without_positives:
        yield f"queries without any right image: {scores.num_without_positives}"
    if scores.num_unanswered:
        yield f"queries without a ranking, which score 0: {scores.num_unanswered}"
    if found.unknown_queries:
        yield (
            f"queries that the truth does not ask, left out: {len(found.unknown_queries)}, first "
            f"{found.unknown_queries[0]!r}"
        )
    strangers = {name for images in found.images.values() for name in images}
    strangers -= condition.truth.database
    if condition.truth.database and strangers:
        yield (
            f"images that the database does not have, counted as wrong: {len(strangers)}, first "
            f"{min(strangers)!r}"
        )
    shortest = min(len(set(images)) for images in found.images.values())
    yield f"shortest ranking: {counted(shortest, 'image')}"
