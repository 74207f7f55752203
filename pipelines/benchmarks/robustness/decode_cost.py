"""Cost of decoding photos in a child process: alone, and in requests to the service.

    python -m pipelines.benchmarks.robustness.decode_cost [MAP --photo FILE]

Photos are decoded here and in the child in turn. Beside the time, the CPU time of both is printed
(Linux): on a machine that others use, waking the child takes as long as they let it. With a map,
good requests go in turn to a service that decodes in its own process, and to one as it is.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import numpy as np
from fastapi.testclient import TestClient
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.io.decode_process import DecodeProcess
from hloc_lite.io.images import photo_from_bytes
from hloc_lite.io.weights import WeightsStore
from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.decoding import PhotoDecoder, decode_limits
from hloc_lite.serve.map_pool import MapPool
from hloc_lite.serve.server import warm_up
from hloc_lite.types import Photo

SIZES = {"12 megapixels": (4000, 3000), "2 megapixels": (1632, 1224)}
WARM_UP_PAIRS = 3
SETTLE_S = 0.01
"""Time after each call in which the child tidies up."""
RESAMPLES = 4000
LOCAL = "http://localhost"


class DecoderHere(PhotoDecoder):
    """Decodes in this process, without limits, as the service did before."""

    @contextmanager
    def photo(self, data: bytes, name: str, timeout_s: float) -> Iterator[Photo]:
        limits = self.limits
        config = ImagesConfig(max_megapixels=limits.max_megapixels, max_file_mb=limits.max_file_mb)
        yield photo_from_bytes(data, name, config)


@click.command()
@click.argument("map_folder", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--photo", type=click.Path(path_type=Path, exists=True), help="Photo of that map.")
@click.option("--pairs", default=25, show_default=True)
def main(map_folder: Path | None, photo: Path | None, pairs: int) -> None:
    """Measure decoding alone; with MAP_FOLDER, requests with PHOTO, too."""
    measure_decoding(pairs)
    if map_folder is not None and photo is not None:
        measure_requests(map_folder, photo.read_bytes(), pairs)


def measure_requests(map_folder: Path, photo: bytes, pairs: int) -> None:
    """Print what requests cost more, of two services in this process with the same map."""
    from hloc_lite.localize.localizer import Localizer
    from hloc_lite.maps.map import Map

    localizer = Localizer(Map.open(map_folder), weights=WeightsStore(offline=True))
    warm_up(localizer)
    config = ServeConfig()
    pool = MapPool({"map": map_folder}, lambda _: localizer, config.plan_points)
    pool.open_all()
    limits = decode_limits(config)
    child = PhotoDecoder(limits)
    try:
        with (
            TestClient(create_app(pool, config, decoder=DecoderHere(limits)), LOCAL) as here,
            TestClient(create_app(pool, config, decoder=child), LOCAL) as there,
        ):
            times, _ = _paired(lambda: _post(here, photo), lambda: _post(there, photo), pairs)
    finally:
        child.close()
    _print("requests", times)


def _post(client: TestClient, photo: bytes) -> None:
    answer = client.post("/v1/localize", files={"image": ("photo.jpg", photo, "image/jpeg")})
    answer.raise_for_status()


def measure_decoding(pairs: int) -> None:
    """Print what decoding in a child costs more, for each size."""
    config = ServeConfig()
    child = DecodeProcess(decode_limits(config))
    limits = ImagesConfig(max_megapixels=config.max_megapixels, max_file_mb=config.max_upload_mb)
    try:
        for name, size in SIZES.items():
            data = _photo_like(*size)
            calls = (
                partial(photo_from_bytes, data, "x", limits),
                partial(child.decode, data, "x", 60),
            )
            times, cpu_times = _paired(*calls, pairs, partial(_cpu_ms, child.pid))
            _print(name, times)
            _print(f"{name}, CPU time", cpu_times)
    finally:
        child.close()


def _paired(
    first: Callable[[], object],
    second: Callable[[], object],
    pairs: int,
    cpu_ms: Callable[[], float] = time.thread_time,
) -> tuple[np.ndarray, np.ndarray]:
    """Times and CPU times of two calls in turn, (pairs, 2) ms each.

    Every other pair begins with the second call.
    """
    times, cpu_times = [], []
    for number in range(pairs + WARM_UP_PAIRS):
        spent, computed = [0.0, 0.0], [0.0, 0.0]
        for index in (0, 1) if number % 2 else (1, 0):
            start, cpu_start = time.perf_counter(), cpu_ms()
            (first, second)[index]()
            spent[index] = 1000 * (time.perf_counter() - start)
            time.sleep(SETTLE_S)
            computed[index] = cpu_ms() - cpu_start
        times.append(spent)
        cpu_times.append(computed)
    return np.array(times[WARM_UP_PAIRS:]), np.array(cpu_times[WARM_UP_PAIRS:])


def _cpu_ms(pid: int) -> float:
    """CPU time of this thread and of a process of one thread, ms."""
    path = Path(f"/proc/{pid}/schedstat")
    there_ns = int(path.read_text().split()[0]) if path.exists() else 0
    return (time.thread_time_ns() + there_ns) / 1e6


def _print(name: str, times: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(times), (RESAMPLES, len(times)))
    differences = times[:, 1] - times[:, 0]
    ratios = times[:, 1] / times[:, 0]
    for what, values in (("more, ms", differences), ("ratio", ratios)):
        low, high = np.percentile(np.median(values[rows], axis=1), [2.5, 97.5])
        click.echo(
            f"{name}: {len(times)} pairs, medians {np.median(times[:, 0]):.1f} and "
            f"{np.median(times[:, 1]):.1f} ms; {what}: {np.median(values):.3f}, 95 % interval "
            f"{low:.3f} to {high:.3f}"
        )


def _photo_like(width: int, height: int) -> bytes:
    """JPEG of smooth colours and noise, about as large as a photo."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    noisy = smooth.astype(int) + rng.integers(-6, 7, (height, width, 1))
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
