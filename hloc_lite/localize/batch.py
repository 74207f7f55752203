"""Localizes many queries; results are kept on disk as they come, so a killed run resumes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hloc_lite.concurrency import prefetch
from hloc_lite.config import fingerprint
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.cue_files import depth_file_hashes, label_file_hashes
from hloc_lite.io.image_sources import FileSource, FolderSource, ImageSource
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.results import result_from_json, result_line
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.progress_file import append_line, read_progress, unwritable
from hloc_lite.maps.calibration import calibration_to_json
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, LocalizationResult, Photo, Prior

logger = logging.getLogger(__name__)


def localize_all(
    localizer: Localizer,
    source: ImageSource,
    cameras: Mapping[str, Camera | None],
    progress_file: Path | None = None,
    *,
    fallback: bool = False,
    prior: Prior | None = None,
    budget_ms: float | None = None,
    progress: bool = False,
) -> list[LocalizationResult]:
    """Localize all queries in order; an unreadable one gives a result with that status.

    Args:
        source: source of the photos.
        cameras: name -> intrinsics, or None to take them from EXIF or estimate them.
        progress_file: file that results are appended to, and read from if it is of the same run.
            The caller removes it when all is written.
        fallback, prior, budget_ms: as for ``Localizer.localize``, for all queries.
        progress: show a progress bar on stderr.

    Returns:
        Results without features, correspondences and cues, which would fill the memory.

    Raises:
        HlocLiteError: the progress file cannot be read or written.
    """
    done: dict[str, LocalizationResult] = {}
    if progress_file is not None:  # reading every image twice pays only to resume
        asked = {"fallback": fallback, "prior": plain_prior(prior), "budget_ms": budget_ms}
        run = run_fingerprint(localizer, source, cameras, asked)
        done = read_results(progress_file, run)
    todo = [name for name in cameras if name not in done]
    if done:
        logger.info("resuming: %d of %d queries are done", len(done), len(cameras))
    photos = prefetch(lambda name: load_query(source, name), todo, ahead=2)
    bar = tqdm(photos, "queries", len(todo), unit="query", disable=not progress or not todo)
    for name, photo in zip(todo, bar, strict=True):
        if isinstance(photo, HlocLiteError):
            result = localizer.unreadable(name, photo)
        else:
            result = localizer.localize(
                photo, cameras[name], name=name, fallback=fallback, prior=prior,
                budget_ms=budget_ms,
            )  # fmt: skip
        done[name] = replace(result, features=None, correspondences=None, cues=())
        if progress_file is not None:
            append_line(progress_file, result_line(result))
    return [done[name] for name in cameras]


@contextmanager
def exclusive(progress_file: Path | None) -> Iterator[None]:
    """Lock a progress file against other processes until its results are written.

    Raises:
        HlocLiteError: another process holds it, or its folder cannot be written.
    """
    if progress_file is None:
        yield
        return
    path = progress_file.with_name(f"{progress_file.name}.lock")
    busy = f"another process is writing {progress_file}; wait for it, or choose another output"
    with exclusive_lock(path, HlocLiteError(busy), lambda error: unwritable(path, error)):
        yield


def run_fingerprint(
    localizer: Localizer,
    source: ImageSource,
    cameras: Mapping[str, Camera | None],
    asked: Mapping[str, object],
) -> str:
    """Fingerprint of all that the answers of a run depend on, with the bytes of the photos.

    Args:
        cameras: query name -> intrinsics; None if they are not given.
        asked: further options of the queries, as plain values.
    """
    intrinsics = {
        name: c and [c.model, c.width, c.height, c.has_prior_focal, *c.params.tolist()]
        for name, c in cameras.items()
    }
    hashes = {name: _image_hash(source, name) for name in cameras}
    maps = [_map_state(each) for each in localizer.maps]
    cue_files = [
        label_file_hashes(localizer.config.semantics, cameras),
        depth_file_hashes(localizer.config.depth, cameras),
    ]
    how = (localizer.config, localizer.calibration)  # the coefficients' file may change
    return fingerprint("1", maps, *how, intrinsics, hashes, cue_files, dict(asked))


def _map_state(sfm_map: Map) -> list[object]:
    """Plain values of a map that answers depend on; scale and calibration may change later."""
    known, made = sfm_map.calibration, sfm_map.fingerprint
    learned = None if known is None else calibration_to_json(known, made)
    return [made, sfm_map.metres_per_unit, learned]


def plain_prior(prior: Prior | None) -> dict[str, object] | None:
    """Fields of a prior as plain values; None without one."""
    if prior is None:
        return None
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in vars(prior).items()
    }


def _image_hash(source: ImageSource, name: str) -> str | None:
    try:
        return source.fingerprint(name)
    except HlocLiteError:
        return None


def load_query(source: ImageSource, name: str) -> Photo | HlocLiteError:
    """Photo with the hash of its file, or the error that it cannot be read."""
    try:
        photo = source.load(name)
        if isinstance(
            source, FolderSource | FileSource
        ):  # so that a map photo is not matched with itself
            photo = replace(photo, file_hash=source.fingerprint(name))
        return photo
    except HlocLiteError as error:
        return error


def read_results(progress_file: Path, run: str) -> dict[str, LocalizationResult]:
    """Query name -> result of an earlier run with the same fingerprint.

    Raises:
        HlocLiteError: the file cannot be read or written.
    """
    return read_progress(progress_file, run, _result)


def _result(value: dict[str, object]) -> tuple[str, LocalizationResult]:
    result = result_from_json(value)
    return result.query_name, result
