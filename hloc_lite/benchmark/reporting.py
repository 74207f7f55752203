"""HTML report of a benchmark run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hloc_lite.benchmark.options import BenchmarkOptions
from hloc_lite.benchmark.parts import PartAnswers
from hloc_lite.benchmark.scoring import joined_name, sure_but_wrong
from hloc_lite.config import Config
from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import MissingDependencyError
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.photos import photo_loader
from hloc_lite.evaluation.records import record_from_result
from hloc_lite.evaluation.report import write_report
from hloc_lite.evaluation.report_input import ReportInput
from hloc_lite.formats.submissions.findings import Finding
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.versions import software_versions
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.localizer import Localizer
from hloc_lite.types import LocalizationResult, Photo

logger = logging.getLogger(__name__)


def write_run_report(
    card: Card,
    parts: Sequence[PartAnswers],
    evaluation: Evaluation | None,
    output: Path,
    run_config: Config,
    options: BenchmarkOptions,
    findings: Sequence[Finding] = (),
) -> Path | None:
    """Write report.html of all parts; pictures of matches where there is one part.

    Returns:
        The page; None without the extra ``report``, which a warning names.
    """
    is_only = len(parts) == 1
    records = [
        record_from_result(result, joined_name(part, result.query_name, is_only=is_only))
        for part in parts
        for result in part.results
    ]
    notes = [note for part in parts for note in part_notes(part.dataset)]
    notes += [finding.message for finding in findings]
    num_rigs = sum(len(part.dataset.rigs) for part in parts)
    if num_rigs:
        notes.append(f"{num_rigs} rigs are scored and submitted, and not listed here")
    if evaluation is not None:
        notes.insert(0, sure_but_wrong(evaluation))
    report = ReportInput(
        f"{card.title or card.name}: {len(records)} queries",
        records,
        evaluation,
        config=run_config.model_dump(),
        versions=software_versions(),
        is_metric=all(part.dataset.is_metric for part in parts),
        notes=notes,
        **(_pictures(parts[0], options) if is_only and records else {}),
    )
    try:
        return write_report(output / "report", report)
    except MissingDependencyError as error:
        logger.warning("no report: %s", error)
        return None


def part_notes(dataset: Dataset) -> list[str]:
    """Notes of a part, each with its name in front."""
    start = f"{dataset.name}: "
    return [start + note.removeprefix(start) for note in dataset.notes]


def _pictures(part: PartAnswers, options: BenchmarkOptions) -> Mapping[str, Any]:
    """Loaders of photos and of results with matches, which are found again when shown."""
    sfm_map, dataset = part.sfm_map, part.dataset
    source = FolderSource(dataset.image_folder, dataset.query_names, sfm_map.config.images)
    load_query = photo_loader(source)
    cameras = dataset.query_cameras

    @cache
    def localizer() -> Localizer:
        weights = WeightsStore(offline=options.offline)
        return Localizer(sfm_map, weights=weights, device=options.device)

    def localize_again(name: str) -> LocalizationResult | None:
        photo: Photo | None = load_query(name) if name in cameras else None
        return None if photo is None else localizer().localize(photo, cameras[name], name=name)

    return {
        "model": sfm_map.model,
        "load_result": localize_again,
        "load_query_photo": load_query,
        "load_map_photo": photo_loader(sfm_map.photos),
        "surface": sfm_map.surface,
    }
