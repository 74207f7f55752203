"""Maps as a stranger would make them: each harm is planted in a copy of a map, and signed anew.

Who makes a map can also compute its digests, so they protect from none of this.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.bank import Bank
from hloc_lite.io.files import file_sha256
from hloc_lite.io.schemas import with_checksum
from hloc_lite.maps.folder import BANKS, COMPACT_SCHEMA, FILES
from hloc_lite.maps.georeference import map_identity

Plant = Callable[[Path, Path], None]
"""Takes the folder of the map, and a folder of private files that must not be read."""
PRIVATE_FILES = ("photo.jpg", "secret.npy", "secret.h5", "table.toml", "confidence.toml")
HUGE = 1 << 50
DEEP = "[" * 3000 + "]" * 3000
OUTSIDE_VALUES: Mapping[str, tuple[str, ...]] = {
    "semantics.source": ("hf:stranger/model", "files:{private}", "their-segmenter"),
    "semantics.table": ("{private}/table.toml", "../../private/table.toml"),
    "depth.source": ("hf:stranger/model", "files:{private}", "their-depth"),
    "confidence.file": ("{private}/confidence.toml", "\\\\server\\share\\c.toml"),
    "matching.name": ("their-matcher", "os:system"),
    "pose.estimator": ("their-estimator",),
    "features.name": ("their-features", "../../private"),
    "retrieval.name": ("their-retrieval",),
}
NAMES = ("../private/photo.jpg", "{private}/photo.jpg", "C:\\photo.jpg", "a/../../photo.jpg",
         "..\\photo.jpg", "~/photo.jpg", "photo\0.jpg", "photo\n.jpg", "\x1b[2J.jpg",
         "x" * 255, "")  # fmt: skip


def plants(*, is_compact: bool) -> dict[str, Plant]:
    """Harms that a full or a compact map can have, by name."""
    found: dict[str, Plant] = {}
    for key, values in OUTSIDE_VALUES.items():
        for number, value in enumerate(values):
            found[f"config {key} {number}"] = _setting(key, value)
    found |= {f"header {name}": _header(change) for name, change in HEADER_CHANGES.items()}
    found |= {f"image name {number}": _image_name(name) for number, name in enumerate(NAMES)}
    files = COMPACT_FILES if is_compact else FULL_FILES
    found |= {
        f"{kind} as {name}": _special(name, make)
        for name in files
        for kind, make in SPECIAL_FILES.items()
    }
    found |= {f"extra {name}": _extra(name, value) for name, value in EXTRA_FILES.items()}
    if is_compact:
        found |= {f"npy {name}": _npy(make) for name, make in NPY_FILES.items()}
    else:
        found |= {f"HDF5 {name}": _h5(change) for name, change in H5_CHANGES.items()}
        found |= {f"model {name}": _model(*change) for name, change in MODEL_CHANGES.items()}
    return found


def sign(folder: Path) -> None:
    """Write the digests of a map as they should be, where its files can be read."""
    header = json.loads((folder / "map.json").read_text())
    if header["schema"] == COMPACT_SCHEMA:
        return  # its arrays are signed one by one
    for name in FILES:
        path = folder / name
        if name != "map.json" and path.is_file():
            header["files"][name] = file_sha256(path)
    for name in BANKS:
        try:
            bank = Bank(folder / name)
        except FormatError:
            continue
        header["banks"][name] = bank.digest
        bank.close()
    _write_header(folder, header)


def _write_header(folder: Path, header: Mapping[str, Any]) -> None:
    rest = {key: value for key, value in header.items() if key != "checksum"}
    (folder / "map.json").write_text(json.dumps(with_checksum(rest)))


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    header = json.loads((folder / "map.json").read_text())
    change(header)
    _write_header(folder, header)


def _setting(key: str, value: str) -> Plant:
    section, _, name = key.partition(".")

    def plant(folder: Path, private: Path) -> None:
        text = value.format(private=private)

        def change(header: dict[str, Any]) -> None:
            for part in ("config", "chosen"):
                header[part].setdefault(section, {})[name] = text

        _edit(folder, change)

    return plant


def _header(change: Callable[[dict[str, Any]], object]) -> Plant:
    return lambda folder, private: _edit(folder, change)


HEADER_CHANGES: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "of version 99": lambda h: h.update(schema=h["schema"].replace("/1", "/99")),
    "of another schema": lambda h: h.update(schema={"a": 1}),
    "without config": lambda h: h.pop("config"),
    "config is a list": lambda h: h.update(config=[1, 2]),
    "fingerprint is a number": lambda h: h.update(fingerprint=5),
    "weights is a list": lambda h: h.update(weights=[["a", "b"]]),
    "files lead outside": lambda h: h["files"].update(
        {"../private/secret.npy": {"bytes": 1, "crc32": "0"}}
    ),
    "absolute files": lambda h: h["files"].update({"/etc/passwd": {"bytes": 1, "crc32": "0"}}),
    "digests are numbers": lambda h: h.update(files=dict.fromkeys(h["files"], 3)),
    "huge shape": lambda h: h.update(landmark_descriptors={
        "bytes": HUGE, "crc32": "0", "shape": [HUGE, 128]}),
    "negative shape": lambda h: (h.get("landmark_descriptors") or {}).update(shape=[-1, 64]),
    "huge budget": lambda h: h["config"].setdefault("images", {}).update(max_megapixels=1e30),
    "infinite setting": lambda h: h["config"].setdefault("pose", {}).update(max_error_px=1e308),
    "georeference of numbers": lambda h: h.update(georeference=7),
    "replaced": lambda h: h.update(replaced="x" * 100_000),
}  # fmt: skip


def _image_name(name: str) -> Plant:
    def plant(folder: Path, private: Path) -> None:
        text = name.format(private=private)
        header = json.loads((folder / "map.json").read_text())
        if header["schema"] == COMPACT_SCHEMA:
            names = json.loads(np.load(folder / "images/names.npy").tobytes())
            value = np.frombuffer(json.dumps([text, *names[1:]]).encode(), np.uint8)
            _write_npy(folder, "images/names.npy", value)
            return
        path = folder / "sfm/images.bin"
        data = path.read_bytes()
        start = 8 + 4 + 56 + 4  # number of images; id, pose and camera of the first
        end = data.index(b"\0", start)
        encoded = text.encode().replace(b"\0", b"") or b""
        path.write_bytes(data[:start] + encoded + data[end:])

    return plant


def _write_npy(folder: Path, name: str, array: np.ndarray) -> None:
    np.save(folder / name, array, allow_pickle=True)
    _sign_npy(folder, name)


def _sign_npy(folder: Path, name: str) -> None:
    import zlib

    data = (folder / name).read_bytes()
    recorded = {"bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}
    _edit(folder, lambda header: header["files"].update({name: recorded}))


FULL_FILES = ("features.h5", "retrieval.h5", "landmarks.h5", "landmark_descriptors.npy",
              "sfm/images.bin", "sfm/points3D.bin", "report.json", "map.json",
              "calibration.json", "georeference.json", "surface/map.json")  # fmt: skip
COMPACT_FILES = ("landmarks/xyz.npy", "landmarks/descriptors.npy", "images/names.npy", "map.json",
                 "calibration.json", "georeference.json", "surface/map.json")  # fmt: skip
SPECIAL_FILES: Mapping[str, Callable[[Path, Path], object]] = {
    "link": lambda path, private: path.symlink_to(private / "secret.h5"),
    "pipe": lambda path, private: os.mkfifo(path),
    "folder": lambda path, private: path.mkdir(),
    "device": lambda path, private: path.symlink_to("/dev/zero"),
}


def _special(name: str, make: Callable[[Path, Path], object]) -> Plant:
    def plant(folder: Path, private: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        make(path, private)

    return plant


EXTRA_FILES: Mapping[str, str] = {
    "georeference.json": "{",
    "calibration.json": DEEP,
    "surface/map.json": json.dumps({"schema": "hloc_lite.surface/1", "files": {}}),
    "models/1/map.json": json.dumps({"schema": "hloc_lite.map/1", "fingerprint": "x"}),
    ".new/map.json": json.dumps({"schema": "hloc_lite.map/1", "files": {}}),
    "work/features/store.json": DEEP,
    "torch.py": "raise SystemExit('executed')",
    "sitecustomize.py": "raise SystemExit('executed')",
    "config.toml": "[depth]\nsource = 'hf:stranger/model'\n",
}


def _extra(name: str, text: str) -> Plant:
    def plant(folder: Path, private: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        value = text
        if name == "georeference.json":
            identity = map_identity(folder)
            value = json.dumps(
                {"schema": "hloc_lite.georeference/1", "map": identity, "quality": 1}
            )
        (folder / name).write_text(value)

    return plant


def _npy(make: Callable[[np.ndarray], bytes]) -> Plant:
    def plant(folder: Path, private: Path) -> None:
        name = "landmarks/descriptors.npy"
        array = np.load(folder / name)
        (folder / name).write_bytes(make(array))
        _sign_npy(folder, name)

    return plant


def _npy_bytes(descr: str, shape: tuple[int, ...], data: bytes, order: bool = False) -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape!r}, }}"
    padded = text + " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + data


NPY_FILES: Mapping[str, Callable[[np.ndarray], bytes]] = {
    "claims petabytes": lambda a: _npy_bytes("|i1", (HUGE, 64), a.tobytes()),
    "overflows": lambda a: _npy_bytes("<f8", (1 << 62, 1 << 62), a.tobytes()),
    "negative": lambda a: _npy_bytes("|i1", (-1, 64), a.tobytes()),
    "pickled": lambda a: _npy_bytes("|O", a.shape, a.tobytes()),
    "of strings": lambda a: _npy_bytes("<U16", (len(a),), a.tobytes()),
    "of no width": lambda a: _npy_bytes("|V0", (HUGE,), b""),
    "by columns": lambda a: _npy_bytes("|i1", a.shape, a.tobytes(), True),
    "of fewer rows": lambda a: _npy_bytes("|i1", (1, *a.shape[1:]), a[:1].tobytes()),
    "evaluates": lambda a: b"\x93NUMPY\x01\x00\x1e\x00" + b"__import__('os').getpid()     \n",
    "empty": lambda a: b"",
}  # fmt: skip


def _h5(change: Callable[[h5py.File, Path], object]) -> Plant:
    def plant(folder: Path, private: Path) -> None:
        with h5py.File(folder / "features.h5", "r+", libver="latest") as file:
            change(file, private)
        sign(folder)

    return plant


def _replace(file: h5py.File, name: str, **options: Any) -> None:
    """Replace a dataset by one of the same values, stored differently."""
    values = file[name][()]
    del file[name]
    file.create_dataset(name, data=values, **options)


def _external(file: h5py.File, private: Path) -> None:
    shape, dtype = file["descriptors"].shape, file["descriptors"].dtype
    del file["descriptors"]
    file.create_dataset(
        "descriptors", shape, dtype, external=[(str(private / "secret.npy"), 0, h5py.h5f.UNLIMITED)]
    )


def _virtual(file: h5py.File, private: Path) -> None:
    shape, dtype = file["descriptors"].shape, file["descriptors"].dtype
    del file["descriptors"]
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(str(private / "secret.h5"), "x", shape, dtype)
    file.create_virtual_dataset("descriptors", layout)


def _linked(link: Callable[[Path], Any], name: str = "descriptors") -> Any:
    def change(file: h5py.File, private: Path) -> None:
        del file[name]
        file[name] = link(private)

    return change


def _huge(file: h5py.File, private: Path) -> None:
    dtype, width = file["descriptors"].dtype, file["descriptors"].shape[1]
    del file["descriptors"]
    file.create_dataset("descriptors", (HUGE, width), dtype, chunks=(1024, width))


def _text_header(text: str) -> Callable[[h5py.File, Path], None]:
    def change(file: h5py.File, private: Path) -> None:
        del file["header"]
        file.create_dataset("header", data=np.frombuffer(text.encode(), np.uint8))

    return change


def _strings(file: h5py.File, private: Path) -> None:
    count = len(file["scores"])
    del file["scores"]
    values = np.array(["x" * 100] * count, object)
    file.create_dataset("scores", data=values, dtype=h5py.string_dtype())


H5_CHANGES: Mapping[str, Callable[[h5py.File, Path], object]] = {
    "external link": _linked(lambda private: h5py.ExternalLink(str(private / "secret.h5"), "x")),
    "soft link": _linked(lambda private: h5py.SoftLink("/scores")),
    "linked header": _linked(
        lambda private: h5py.ExternalLink(str(private / "secret.h5"), "x"), "header"
    ),
    "linked group": _linked(
        lambda private: h5py.ExternalLink(str(private / "secret.h5"), "/"), "offsets"
    ),
    "external storage": _external,
    "virtual": _virtual,
    "compressed": lambda file, private: _replace(file, "descriptors", compression="gzip"),
    "of strings": _strings,
    "claims petabytes": _huge,
    "huge chunks": lambda file, private: _replace(
        file, "scores", chunks=(1 << 25,), maxshape=(None,), compression="gzip"
    ),
    "deep header": _text_header(DEEP),
    "header of numbers": _text_header("7"),
    "schema 99": _text_header('{"schema": "hloc_lite.bank/99", "keys": [], "attrs": {}}'),
    "offsets beyond": lambda file, private: file["offsets/scores"].__setitem__(-1, HUGE),
    "offsets descend": lambda file, private: file["offsets/scores"].__setitem__(0, 5000),
    "no digests": lambda file, private: file.__delitem__("digests"),
}


def _model(name: str, change: Callable[[bytes], bytes]) -> Plant:
    def plant(folder: Path, private: Path) -> None:
        path = folder / "sfm" / name
        path.write_bytes(change(path.read_bytes()))

    return plant


def _put(start: int, layout: str, *values: float) -> Callable[[bytes], bytes]:
    """Change that writes values at an offset; negative ones count from the end."""

    def change(data: bytes) -> bytes:
        packed = struct.pack(layout, *values)
        first = start % len(data)
        return data[:first] + packed + data[first + len(packed) :]

    return change


MODEL_CHANGES: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "claims cameras": ("cameras.bin", _put(0, "<Q", HUGE)),
    "claims images": ("images.bin", _put(0, "<Q", HUGE)),
    "claims points": ("points3D.bin", _put(0, "<Q", HUGE)),
    "cut": ("images.bin", lambda data: data[: len(data) // 2]),
    "poses of NaN": ("images.bin", _put(12, "<7d", *[np.nan] * 7)),
    "huge focal": ("cameras.bin", _put(-8, "<d", 1e307)),
    "unknown camera model": ("cameras.bin", _put(12, "<i", 99)),
    "size of zero": ("cameras.bin", _put(16, "<QQ", 0, 0)),
    "points at infinity": ("points3D.bin", _put(16, "<3d", *[np.inf] * 3)),
}
