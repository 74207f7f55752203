"""Labels and depth of rendered towns: exact, predicted, or with errors like those of networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from hloc_lite.config import load_config
from hloc_lite.consistency.labels import CLASS_NAMES
from hloc_lite.io.files import atomic_path
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import SEGMENTERS, Runtime, create
from hloc_lite.types import Float32, UInt8
from pipelines.towns.matched_towns import read_town

BORDER_PX = 4.0
"""Standard deviation of the displacement of label borders."""
BORDER_WAVE_PX = 12.0
"""Wavelength of that displacement."""
CONFUSED_SHARE = 0.1
"""Share of pixels with a wrong label; segmenters reach an accuracy of 0.9 on their own domain."""
CONFUSED_WAVE_PX = 40.0
"""Size of the patches with a wrong label."""
CONFUSIONS = {
    "road": "sidewalk", "sidewalk": "road", "building": "wall", "wall": "building",
    "fence": "vegetation", "pole": "building", "traffic light": "building",
    "traffic sign": "building", "vegetation": "terrain", "terrain": "vegetation",
    "sky": "building", "person": "building", "rider": "person", "car": "truck",
}  # fmt: skip
DEPTH_ERROR = 0.15
"""Standard deviation of log depth."""
DEPTH_WAVE_PX = 40.0
"""Wavelength of the depth error."""
SCALES = (0.5, 2.0)
"""Range of the scale of relative depth, drawn log-uniformly for each image."""
MAX_SHIFT_M = 1.0
"""Largest shift of relative depth."""
NETWORK = "deeplab-edgetpu-cityscapes"
CUE_KINDS = ("exact", "noisy", "network")
"""Labels and depth: true, with errors like those of networks, or of a segmentation network."""


def cue_sources(
    town: Path, folder: Path, kinds: Sequence[str]
) -> dict[str, tuple[str, str | None]]:
    """Kind -> (``semantics.source``, ``depth.source``); noisy and predicted maps are written."""
    dataset = read_town(town)
    queries = dataset.query_names
    names = [*dataset.map_image_names, *queries]
    found: dict[str, tuple[str, str | None]] = {}
    for kind in kinds:
        if kind == "exact":
            found[kind] = f"files:{town / 'labels'}", f"files:{town / 'depth'}"
        elif kind == "noisy":
            write_noisy_labels(town, names, folder / "noisy_labels")
            write_noisy_depth(town, queries, folder / "noisy_depth")
            sources = folder / "noisy_labels", folder / "noisy_depth"
            found[kind] = f"files:{sources[0]}", f"files:{sources[1]}"
        else:
            write_network_labels(town, names, folder / "network_labels", NETWORK)
            found[kind] = f"files:{folder / 'network_labels'}", None
    return found


def write_noisy_labels(town: Path, names: Sequence[str], out: Path) -> None:
    """Write label maps with displaced borders and patches of wrong labels."""
    for name in tqdm(names, desc=f"{town.name} noisy labels", disable=None):
        if not (out / f"{name}.png").is_file():
            rng = np.random.default_rng([1, *name.encode()])
            _write_png(out / f"{name}.png", noisy_labels(_read_png(town, "labels", name), rng))


def write_noisy_depth(town: Path, names: Sequence[str], out: Path) -> None:
    """Write relative depth: scaled, shifted, with an error of 15 %."""
    for name in tqdm(names, desc=f"{town.name} noisy depth", disable=None):
        if not (out / f"{name}.png").is_file():
            rng = np.random.default_rng([2, *name.encode()])
            metres = _read_png(town, "depth", name).astype(np.float32) / np.float32(1000)
            noisy = np.where(metres > 0, noisy_depth(metres, rng), 0)
            _write_png(out / f"{name}.png", np.clip(noisy * 500, 0, 65535).astype(np.uint16))


def write_network_labels(town: Path, names: Sequence[str], out: Path, network: str) -> None:
    """Write the label maps that a segmentation network predicts."""
    config = load_config(settings=[f"semantics.source={network}"])
    segmenter = create(SEGMENTERS, network, config.semantics, Runtime(WeightsStore()))
    for name in tqdm(names, desc=f"{town.name} {network}", disable=None):
        if not (out / f"{name}.png").is_file():
            photo = read_photo(town / "images" / name, name, config.images)
            (labels,) = segmenter.segment([photo])
            size = (photo.width, photo.height)  # networks resize photos to a square
            whole = cv2.resize(labels.labels, size, interpolation=cv2.INTER_NEAREST)
            _write_png(out / f"{name}.png", np.asarray(whole))


def noisy_labels(labels: UInt8, rng: np.random.Generator) -> UInt8:
    """(H, W) labels with smoothly displaced borders and patches of similar classes."""
    height, width = labels.shape
    shift = [BORDER_PX * _waves(labels.shape, BORDER_WAVE_PX, rng) for _ in range(2)]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y = (columns + shift[0]).astype(np.float32), (rows + shift[1]).astype(np.float32)
    moved = cv2.remap(labels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    other = np.arange(256, dtype=np.uint8)
    for true_class, predicted in CONFUSIONS.items():
        other[CLASS_NAMES.index(true_class)] = CLASS_NAMES.index(predicted)
    waves = _waves(labels.shape, CONFUSED_WAVE_PX, rng)
    confused = waves > np.quantile(waves, 1 - CONFUSED_SHARE)
    return np.where(confused, other[moved], moved)


def noisy_depth(depth: Float32, rng: np.random.Generator) -> Float32:
    """(H, W) relative depth with errors, from metric depth in metres."""
    scale = np.exp(rng.uniform(*np.log(SCALES)))
    wrong = np.exp(DEPTH_ERROR * _waves(depth.shape, DEPTH_WAVE_PX, rng))
    return np.asarray(scale * depth * wrong + rng.uniform(0, MAX_SHIFT_M), np.float32)


def _waves(shape: tuple[int, ...], wave_px: float, rng: np.random.Generator) -> Float32:
    """(H, W) smooth noise of mean 0 and standard deviation 1."""
    coarse = tuple(int(np.ceil(side / wave_px)) + 3 for side in shape)
    noise = cv2.resize(
        rng.normal(size=coarse).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def _read_png(town: Path, kind: str, name: str) -> np.ndarray:
    image = cv2.imread(str(town / kind / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SystemExit(
            f"{town / kind / name}.png is missing: render the town with depth and labels"
        )
    return np.asarray(image)


def _write_png(path: Path, image: np.ndarray) -> None:
    ok, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert ok
    with atomic_path(path) as partial:
        partial.write_bytes(data.tobytes())
