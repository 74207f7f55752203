"""A small run of pipelines/benchmarks/robustness/mutated_files.py, and files that unpack hugely."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("needs fork", allow_module_level=True)

from hloc_lite.types import Camera, DepthMap, Rigid3
from pipelines.benchmarks.results import read_results
from pipelines.benchmarks.robustness.mutated_files import (
    GOOD,
    SAMPLES,
    digest,
    mutate,
    read_in_child,
    write_sample,
)
from pipelines.benchmarks.robustness.sample_model import FormatSample, sample_model
from pipelines.benchmarks.robustness.value_ranges import out_of_range

ROOT = Path(__file__).parents[2]
BY_NAME = {sample.name: sample for sample in SAMPLES}
COUNT = 2 * len(SAMPLES)
MAX_PEAK_BYTES = 600 << 20


def test_mutated_files_are_refused_or_read(tmp_path: Path) -> None:
    # a process of its own: children of one with threads may hang
    command = [sys.executable, "-m", "pipelines.benchmarks.robustness.mutated_files"]
    options = ["--seed", "7", "--count", str(COUNT), "--results", str(tmp_path / "table.json")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    results = read_results(tmp_path / "table.json")
    cells = zip(results.columns[1:], results.rows[-1][1:], strict=True)
    total = {column: float(cell or 0) for column, cell in cells}
    assert tuple(results.columns[1:4]) == GOOD
    assert total["refused"] + total["same"] + total["other"] == COUNT
    assert total["refused"] > COUNT / 3 and total["other"] < COUNT / 3
    assert total["memory / MB"] < 100


def test_names_of_samples_differ() -> None:
    assert len(BY_NAME) == len(SAMPLES)


def test_damage_depends_on_the_seed_only(tmp_path: Path) -> None:
    sample = BY_NAME["NVM"]
    texts = []
    for seed in (1, 1, 2):
        copy = mutate(sample, tmp_path / "files", seed)
        texts.append((tmp_path / "files" / copy.file).read_bytes())
    assert texts[0] == texts[1] != texts[2]


def test_digests_tell_values_apart() -> None:
    values = [1, "1", 1.0, [1], {"a": 1}, {"b": 1}, np.ones(1), np.ones((1, 1)), [1, [2]], [[1], 2]]
    assert len({digest(value) for value in values}) == len(values)
    assert digest({"a": np.ones(2), "b": 1}) == digest({"b": 1, "a": np.ones(2)})


def test_all_samples_have_a_group() -> None:
    groups = {sample.group for sample in SAMPLES}
    assert groups == {
        "images",
        "models",
        "hdf5",
        "npy",
        "json",
        "maps",
        "depth",
        "others",
        "retrieval",
    }


def test_values_out_of_range_are_told() -> None:
    model = sample_model()
    pose = Rigid3(2 * np.eye(3), np.zeros(3))
    repeated = replace(model, point3D_ids=np.ones(model.num_points, np.int64))
    bad_values: list[object] = [
        {"a": [np.array([1.0, np.nan])]}, float("inf"), np.full(3, 1e30), pose, [repeated],
        Camera("SIMPLE_PINHOLE", 64, 48, np.array([-5.0, 32, 24])),
        Camera("SIMPLE_PINHOLE", 64, 48, np.array([50.0, 3200, 24])),
        DepthMap(np.full((2, 2), -1.0), (2, 2)),
    ]  # fmt: skip
    assert all(out_of_range(value) for value in bad_values)
    unknown = DepthMap(np.full((2, 2), np.nan), (2, 2))
    assert not any(out_of_range(value) for value in (model, unknown, [1.5, "a", None]))


def test_a_changed_length_is_told_where_a_file_states_it(tmp_path: Path) -> None:
    """Cut off, a COLMAP model has counts that do not fit; a list of names has none."""
    told = {"COLMAP model, binary": True, "image list": False}
    for name, is_covered in told.items():
        copies = [mutate(BY_NAME[name], tmp_path / "files", seed) for seed in range(40)]
        cut = [copy for copy in copies if copy.mutation == "cut off" and copy.has_other_length]
        assert cut and all(copy.is_covered == is_covered for copy in cut)
        flipped = [copy for copy in copies if copy.mutation == "bytes flipped"]
        assert flipped and not any(copy.is_covered for copy in flipped)


def faulty(action: Callable[[], object]) -> FormatSample:
    return FormatSample("faulty", lambda folder: None, lambda folder: action())


def test_faults_are_found(tmp_path: Path) -> None:
    """The harness itself can fail."""
    import ctypes
    import os

    cases = {
        "TRACEBACK": lambda: [][1],
        "CRASH": lambda: ctypes.string_at(0) and os.abort(),
    }
    for kind, action in cases.items():
        assert read_in_child(faulty(action), tmp_path).kind == kind
    assert read_in_child(faulty(lambda: np.ones(1 << 27).sum()), tmp_path).kind == "OVERRUN"
    assert read_in_child(faulty(lambda: sum(range(1 << 33))), tmp_path).kind == "TIMEOUT"
    checked = faulty(lambda: 5)._replace(is_checked=True)
    assert read_in_child(checked, tmp_path, digest(6)).kind == "UNNOTICED"
    nan = faulty(lambda: float("nan"))
    assert read_in_child(nan, tmp_path, digest(6)).kind == "UNNOTICED"
    covered = read_in_child(faulty(lambda: 5), tmp_path, digest(6), is_covered=True)
    assert covered.kind == "UNNOTICED"
    out_of_memory = read_in_child(faulty(lambda: np.ones(1 << 30).sum()), tmp_path)
    assert out_of_memory.kind == "TRACEBACK" and "Unable to allocate" in out_of_memory.message
    assert read_in_child(faulty(lambda: 5), tmp_path, digest(5)).kind == "same"
    assert read_in_child(faulty(lambda: 5), tmp_path, digest(6)).kind == "other"


def h5_bomb(folder: Path) -> None:
    """4 GB of zeros in a few MB."""
    write_sample(BY_NAME["hloc features"], folder)
    with h5py.File(folder / "features.h5", "w") as file:
        group = file.create_group("a.jpg")
        group["keypoints"] = np.zeros((1, 2), np.float32)
        data = group.create_dataset(
            "descriptors", (256, 1 << 22), "f4", chunks=(1, 1 << 22), compression="gzip"
        )
        zeros = zlib.compress(bytes(4 << 22))
        for row in range(256):
            data.id.write_direct_chunk((row, 0), zeros)


def h5_claim(folder: Path) -> None:
    """A shape of 2^60 values without any of them."""
    folder.mkdir()
    with h5py.File(folder / "features.h5", "w") as file:
        group = file.create_group("a.jpg")
        group.create_dataset("keypoints", (1 << 59, 2), "f4", chunks=(1024, 2))


def zip_bomb(folder: Path) -> None:
    folder.mkdir()
    with (
        zipfile.ZipFile(folder / "s.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("pose_s00460.txt", "w", force_zip64=True) as file,
    ):
        for _ in range(1 << 9):
            file.write(bytes(1 << 20))


def tar_claim(folder: Path) -> None:
    """A member whose header claims 2^40 bytes."""
    write_sample(BY_NAME["kapture, tar"], folder)
    (path,) = folder.rglob("keypoints.tar")
    member = tarfile.TarInfo("a/0.png.kpt")
    member.size = 1 << 40
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def png_bomb(folder: Path) -> None:
    """PNG of 40,000 x 40,000 pixels of 16 bits, 3 GB, in 3 MB."""
    write_sample(BY_NAME["depth, png"], folder)

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    packer, row = zlib.compressobj(1), bytes(80_001)
    pixels = b"".join(packer.compress(row) for _ in range(2000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 16, 0, 0, 0, 0)
    (folder / "d.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def npy_claim(folder: Path) -> None:
    write_sample(BY_NAME["depth, npy"], folder)
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        text, {"descr": "<f4", "fortran_order": False, "shape": (1 << 30, 1 << 30)}
    )
    (folder / "d.npy").write_bytes(text.getvalue())


def colmap_claim(folder: Path) -> None:
    write_sample(BY_NAME["COLMAP model, binary"], folder)
    data = (folder / "points3D.bin").read_bytes()
    (folder / "points3D.bin").write_bytes(struct.pack("<Q", 1 << 60) + data[8:])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("hloc features", h5_bomb),
        ("hloc features", h5_claim),
        ("submission, zip", zip_bomb),
        ("kapture, tar", tar_claim),
        ("depth, png", png_bomb),
        ("depth, npy", npy_claim),
        ("COLMAP model, binary", colmap_claim),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_files_that_unpack_hugely_are_refused(
    name: str, write: Callable[[Path], None], tmp_path: Path
) -> None:
    write(tmp_path / "files")
    outcome = read_in_child(BY_NAME[name], tmp_path / "files")
    assert outcome.kind == "refused", outcome
    assert outcome.peak_bytes < MAX_PEAK_BYTES and outcome.seconds < 5
