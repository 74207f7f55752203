"""Folder of rendered images: its record, what a repeated run keeps, and writing of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError, StaleArtefactError
from hloc_lite.io.dataset_layout import DatasetLayout
from hloc_lite.io.files import atomic_path, read_json
from hloc_lite.synthetic.render import Rendering

Progress = Callable[[int, int], None]
"""Called with (images done, total images)."""
MAX_DEPTH_M = 65.535
T = TypeVar("T")


@dataclass(frozen=True)
class FolderKind:
    """Kind of rendered scene: how its folder is recognized, and how messages call it."""

    noun: str
    record: str
    """Name of the JSON file with the fingerprint."""
    command: str


def check_folder(out_dir: Path, kind: FolderKind, wanted: str, overwrite: bool) -> bool:
    """Return True if the folder holds no rendered scene yet.

    Args:
        out_dir: folder.
        kind: kind of scene that will be rendered.
        wanted: fingerprint of its config.
        overwrite: accept a scene with another config.

    Raises:
        StaleArtefactError: the folder holds a scene with another config.
        HlocLiteError: the folder holds something else, or is a file.
    """
    record = out_dir / kind.record
    if record.is_file():
        found = _recorded_fingerprint(record)
        if found != wanted and not overwrite:
            raise StaleArtefactError(
                f"{out_dir} holds a {kind.noun} with another config: its fingerprint is {found}, "
                f"expected {wanted}. Choose another folder, or pass --overwrite to replace it"
            )
        return False
    if out_dir.is_dir() and any(out_dir.iterdir()):
        raise HlocLiteError(
            f"{out_dir} is not empty and holds no {kind.record}: it was not made by "
            f"'{kind.command}'. Choose another folder"
        )
    if out_dir.exists() and not out_dir.is_dir():
        raise HlocLiteError(f"{out_dir} is a file; expected a folder to render into")
    return True


def _recorded_fingerprint(record: Path) -> str:
    content = read_json(record)
    if not isinstance(content, dict) or not isinstance(content.get("fingerprint"), str):
        raise FormatError(f"{record} has no fingerprint; delete its folder and render again")
    return str(content["fingerprint"])


def delete_images(out_dir: Path, names: Iterable[str], lists: Iterable[Path]) -> None:
    """Delete images with their depth and labels, and lists; all other files are kept.

    Raises:
        HlocLiteError: a file cannot be deleted.
    """
    layout = DatasetLayout(out_dir)
    names = sorted(names)
    photos = [layout.images / name for name in names]
    photos += [folder / f"{name}.png" for folder in (layout.depth, layout.labels) for name in names]
    try:
        for path in [*photos, *lists]:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise HlocLiteError(f"cannot delete {path}: {error.strerror or error}") from None
    for folder in {path.parent for path in photos}:
        for each in (folder, folder.parent, folder.parent.parent):
            with suppress(OSError):  # not empty, or already gone
                each.rmdir()


def write_rendering(
    out_dir: Path,
    name: str,
    rendering: Rendering,
    *,
    jpeg_quality: int,
    with_depth: bool = True,
    with_labels: bool = True,
) -> None:
    """Write a photo, its depth in millimetres and its labels; the photo comes last."""
    layout = DatasetLayout(out_dir)
    fast_png = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 2]
    if with_depth:
        millimetres = np.where(rendering.depth < MAX_DEPTH_M, rendering.depth * 1000, 0)
        _write_image(layout.depth / f"{name}.png", np.rint(millimetres).astype(np.uint16), fast_png)
    if with_labels:
        _write_image(layout.labels / f"{name}.png", rendering.labels, fast_png)
    quality = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    bgr = cv2.cvtColor(rendering.pixels, cv2.COLOR_RGB2BGR)
    _write_image(layout.images / name, bgr, quality)


def _write_image(path: Path, image: np.ndarray, options: Sequence[int]) -> None:
    ok, data = cv2.imencode(path.suffix, image, options)
    if not ok:
        raise HlocLiteError(f"cannot encode {path.name}")
    with atomic_path(path) as partial:
        partial.write_bytes(data.tobytes())


def is_complete(out_dir: Path, name: str, *, with_depth: bool, with_labels: bool) -> bool:
    """True if an image and what belongs to it have been written."""
    layout = DatasetLayout(out_dir)
    wanted = [layout.images / name]
    wanted += [layout.depth / f"{name}.png"] * with_depth
    wanted += [layout.labels / f"{name}.png"] * with_labels
    return all(path.is_file() for path in wanted)


def render_missing(
    images: Sequence[T],
    is_written: Callable[[T], bool],
    render: Callable[[Sequence[T]], Iterable[str]],
    progress: Progress | None,
) -> None:
    """Render the images that are not written yet.

    Args:
        images: all images of a scene.
        is_written: True for an image that an earlier run has finished.
        render: renders and writes images; yields a name after each.
        progress: called at first and after each image.
    """
    todo = [image for image in images if not is_written(image)]
    done = len(images) - len(todo)
    report = progress or (lambda *_: None)
    report(done, len(images))
    for _ in render(todo):
        done += 1
        report(done, len(images))


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Let OpenCV run in one thread: the bytes are the same on machines of any number of cores."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def image_rng(seed: int, name: str) -> np.random.Generator:
    """Make the generator of an image's noise, which depends on its name only."""
    return np.random.default_rng([seed, 90, *name.encode()])
