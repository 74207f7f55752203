"""Truths of the data sets as conditions: what ``--truth`` names, read and split into rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.evaluation.retrieval.covisible import CovisibilityConfig, covisible_truth
from hloc_lite.evaluation.retrieval.scores import Condition
from hloc_lite.formats.class_folders import read_class_folders
from hloc_lite.formats.colmap.model import read_model
from hloc_lite.formats.google_landmarks import read_retrieval_solution
from hloc_lite.formats.hloc_lists import read_image_list
from hloc_lite.formats.holidays import read_holidays
from hloc_lite.formats.ilias import read_ilias
from hloc_lite.formats.landmark_pickles import (
    LabelledImages,
    read_original_pickle,
    read_revisited,
)
from hloc_lite.formats.msls import read_msls
from hloc_lite.formats.named_positions import NamedPositions
from hloc_lite.formats.oxford_truth import read_oxford_truth
from hloc_lite.formats.pittsburgh_mat import read_pittsburgh_mat
from hloc_lite.formats.retrieval_truth import RetrievalTruth
from hloc_lite.formats.tokyo247 import panorama_of_cutout, read_tokyo_queries
from hloc_lite.formats.ukbench import read_ukbench
from hloc_lite.formats.utm_names import panorama_from_name, read_utm_names
from hloc_lite.formats.vpr_truth import (
    RecognitionTruth,
    read_recognition_names,
    read_recognition_truth,
)

ALL = "all queries"
REVISITED_SETUPS = {
    "Easy": (("easy",), ("hard", "junk")),
    "Medium": (("easy", "hard"), ("junk",)),
    "Hard": (("hard",), ("easy", "junk")),
}
"""Setup -> labels of the right images, and of those to ignore (Radenovic et al., CVPR 2018)."""


@dataclass(frozen=True)
class TruthFiles:
    """Files of the truth that a user names."""

    path: Path
    query_names: Path | None = None
    """Names of the queries, for truths that have only their positions, and for a model."""
    map_names: Path | None = None
    """Names of the map images, in the order of their positions."""
    covisibility: CovisibilityConfig | None = None


@dataclass(frozen=True)
class Truths:
    """Conditions of a data set."""

    conditions: tuple[Condition, ...]
    aliases: dict[str, str]
    """Further name of a query -> its name."""


def revisited_truths(files: TruthFiles) -> Truths:
    """Easy, Medium and Hard of ROxford5k or RParis6k, from their pickle."""
    images = read_revisited(files.path)
    conditions = [
        Condition(setup, _labelled(images, positive, ignored))
        for setup, (positive, ignored) in REVISITED_SETUPS.items()
    ]
    return Truths(tuple(conditions), {})


def oxford_truths(files: TruthFiles) -> Truths:
    """Oxford5k or Paris6k, from their folder of text files or the pickle of cirtorch."""
    if files.path.is_dir():
        found = read_oxford_truth(files.path)
        return Truths((Condition(ALL, found.truth),), found.image_names)
    images = read_original_pickle(files.path)
    return _single(_labelled(images, ("ok",), ("junk",)))


def holidays_truths(files: TruthFiles) -> Truths:
    """Holidays, from its folder of images or a list of their names."""
    return _single(read_holidays(files.path))


def ukbench_truths(files: TruthFiles) -> Truths:
    """UKBench, from its folder of images or a list of their names."""
    return _single(read_ukbench(files.path))


def class_truths(files: TruthFiles) -> Truths:
    """Folders of classes, or a list of the names in them."""
    return _single(read_class_folders(files.path))


def google_landmarks_truths(files: TruthFiles) -> Truths:
    """Google Landmarks v2, from its retrieval solution: all queries, and its two parts."""
    solution = read_retrieval_solution(files.path)
    conditions = [Condition(ALL, solution.truth)]
    for part, queries in solution.parts.items():
        right = {query: solution.truth.positives[query] for query in sorted(queries)}
        if any(right.values()):
            conditions.append(Condition(part, replace(solution.truth, positives=right)))
    return Truths(tuple(conditions), {})


def ilias_truths(files: TruthFiles) -> Truths:
    """ILIAS, from its folder ``image_ids``."""
    return _single(read_ilias(files.path))


def msls_truths(files: TruthFiles) -> Truths:
    """Validation cities of MSLS, from the folder of the data set."""
    return _single(read_msls(files.path))


def position_truths(files: TruthFiles) -> Truths:
    """Truth by positions: a struct of MATLAB, arrays with lists of names, or names with UTM."""
    return _single(_named_positions(files).truth())


def tokyo_truths(files: TruthFiles) -> Truths:
    """Tokyo 24/7 by both rules: all cutouts, and the best cutout of each panorama."""
    truth = _tokyo_positions(files).truth()
    conditions = [Condition("all cutouts", truth)]
    if any(_panorama(name) != name for name in truth.database):
        conditions.append(Condition("best cutout of each panorama", truth, _panorama))
    return Truths(tuple(conditions), {})


def covisible_truths(files: TruthFiles) -> Truths:
    """COLMAP model with the queries in it, and a list of the queries."""
    if files.query_names is None:
        raise HlocLiteError("give --query-names: a list of the model's images that are queries")
    queries = read_image_list(files.query_names)
    return _single(covisible_truth(read_model(files.path), queries, files.covisibility))


def _single(truth: RetrievalTruth) -> Truths:
    return Truths((Condition(ALL, truth),), {})


def _labelled(
    images: LabelledImages, positive: tuple[str, ...], ignored: tuple[str, ...]
) -> RetrievalTruth:
    def joined(labels: tuple[str, ...]) -> dict[str, frozenset[str]]:
        rows = zip(images.queries, images.labels, strict=True)
        return {query: frozenset().union(*(row[k] for k in labels)) for query, row in rows}

    return RetrievalTruth(joined(positive), joined(ignored), frozenset(images.database))


def _named_positions(files: TruthFiles) -> NamedPositions:
    suffix = files.path.suffix.lower()
    if suffix == ".npz":
        if files.query_names is None or files.map_names is None:
            raise HlocLiteError(
                f"{files.path} has positions only: give their names with --query-names and "
                f"--map-names"
            )
        known = read_recognition_truth(files.path)
        queries = read_recognition_names(files.query_names, len(known.query_positions))
        images = read_recognition_names(files.map_names, len(known.map_positions))
        return NamedPositions(known, tuple(queries), tuple(images))
    if files.query_names is not None or files.map_names is not None:
        raise HlocLiteError(f"{files.path} has names of its own: give no other names")
    return read_pittsburgh_mat(files.path) if suffix == ".mat" else read_utm_names(files.path)


def _tokyo_positions(files: TruthFiles) -> NamedPositions:
    """Positions of Tokyo 24/7; those of the queries may come from a folder of their CSV files."""
    folder = files.query_names
    if folder is None or not folder.is_dir():
        return _named_positions(files)
    names, positions = read_tokyo_queries(folder)
    if files.path.suffix.lower() == ".mat":
        found = read_pittsburgh_mat(files.path)
        known, images = found.positions, found.map_names
    elif files.map_names is not None:
        known = read_recognition_truth(files.path)
        images = tuple(read_recognition_names(files.map_names, len(known.map_positions)))
    else:
        raise FormatError(f"{files.path}: give the names of its map images with --map-names")
    truth = RecognitionTruth(positions, known.map_positions, known.max_distance)
    return NamedPositions(truth, names, images)


def _panorama(name: str) -> str:
    return panorama_from_name(name) if "@" in name else panorama_of_cutout(name)
