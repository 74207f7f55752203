"""Variants of the robustness benchmark: each corrupts one input of ``map`` or ``localize``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.benchmarks.robustness.corruptions import (
    Corruption,
    edit,
    no_change,
    overwrite,
    remove,
    save_image,
    scramble,
    truncate,
    write_bytes,
    zero,
)

MAP_NAMES = {f"a {i}/straße.jpg": i for i in (0, 1, 2, 4, 6, 8, 9, 10)}
QUERY_NAMES = {"q 3.jpg": 3, "ü/q 5.jpg": 5, "q7.jpg": 7}
MAP_VICTIM, QUERY_VICTIM = "a 4/straße.jpg", "ü/q 5.jpg"
MAP_FILES = (
    "map.json", "report.json", "features.h5", "retrieval.h5", "landmark_descriptors.npy",
    "sfm/cameras.bin", "sfm/images.bin", "sfm/points3D.bin",
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One corrupted input."""

    group: str
    name: str
    corrupt: Corruption
    verb: str
    """Command that is run: map or localize."""
    named: str
    """Text that an error message must contain."""
    victim: str | None = None
    """Only image whose result may differ from the clean run."""
    options: tuple[str, ...] = ()


def image_variants() -> Iterator[Variant]:
    """Yield variants with corrupted images."""
    black, small = np.zeros((240, 320, 3), np.uint8), np.zeros((50, 70, 3), np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    for verb, victim, folder in (
        ("map", MAP_VICTIM, "images"),
        ("localize", QUERY_VICTIM, "queries"),
    ):
        path = f"{folder}/{victim}"
        corruptions = {
            "truncated": truncate(path), "random bytes": overwrite(path), "zeros": zero(path),
            "empty": overwrite(path, b""), "text": overwrite(path, b"not an image"),
            "PNG head only": overwrite(path, b"\x89PNG\r\n\x1a\n"), "missing": remove(path),
            "black": save_image(path, black), "noise": save_image(path, noise),
            "tiny": save_image(path, small), "another shape": save_image(path, noise[:, :200]),
            "one pixel": save_image(path, black[:1, :1]),
            "damaged bytes": scramble(path, 300),
            "16-bit, black": save_image(path, black[..., 0].astype(np.uint16)),
        }  # fmt: skip
        for name, corrupt in corruptions.items():
            yield Variant("image", f"{verb}: {name}", corrupt, verb, victim, victim)


def intrinsics_variants() -> Iterator[Variant]:
    """Yield variants with wrong intrinsics."""
    line = f"{QUERY_VICTIM} SIMPLE_PINHOLE 320 240 288.0 160.0 120.0"
    start = f"{QUERY_VICTIM} SIMPLE_PINHOLE"
    changes = {
        "NaN focal": f"{start} 320 240 nan 160 120", "infinite": f"{start} 320 240 inf 160 120",
        "zero focal": f"{start} 320 240 0 160 120", "negative": f"{start} 320 240 -288 160 120",
        "huge focal": f"{start} 320 240 1e9 160 120", "no size": f"{start} 0 0 288 160 120",
        "negative size": f"{start} -320 240 288 160 120",
        "too few": f"{start} 320 240 288 160", "too many": f"{start} 320 240 288 160 120 1 2",
        "far centre": f"{start} 320 240 288 9160 120", "words": f"{start} a b c d e",
        "unknown model": f"{QUERY_VICTIM} SPIRAL 320 240 288 160 120",
        "name only": QUERY_VICTIM, "numbers only": "320 240 288 160 120",
        "fractions of pixels": f"{start} 320.5 240 288 160 120",
        "twice": f"{line}\n{line}",
        "width and height swapped": f"{start} 240 320 288 120 160",
        "of another shape": f"{start} 320 320 288 160 160",
        "name of no file": line.replace(QUERY_VICTIM, "nowhere.jpg"),
        "name leaves the folder": line.replace(QUERY_VICTIM, f"../queries/{QUERY_VICTIM}"),
    }  # fmt: skip
    for name, new in changes.items():
        victim = "nowhere.jpg" if name == "name of no file" else QUERY_VICTIM
        yield Variant("intrinsics", f"localize: {name}", edit("queries.txt", line, new),
                      "localize", "quer", victim)  # fmt: skip
    first = f"{MAP_VICTIM} SIMPLE_PINHOLE 320 240 288.0 160.0 120.0"
    for name, new in {
        "NaN": first.replace("288.0", "nan"), "shape": first.replace("240", "320"),
        "missing": "# left out", "garbage": "\ufffd\ufffd",
    }.items():  # fmt: skip
        yield Variant("intrinsics", f"map: {name}", edit("cameras.txt", first, new), "map",
                      MAP_VICTIM if name in ("shape", "missing") else "cameras.txt", MAP_VICTIM,
                      ("--cameras", "{}/cameras.txt"))  # fmt: skip


def model_variants() -> Iterator[Variant]:
    """Yield variants with corrupted reference models."""
    for folder, suffix in (("model", "bin"), ("model_txt", "txt")):
        options = ("--reference", f"{{}}/{folder}")
        for part in ("cameras", "images", "points3D"):
            path = f"{folder}/{part}.{suffix}"
            for name, corrupt in {
                "truncated": truncate(path), "truncated again": truncate(path),
                "empty": overwrite(path, b""), "zeros": zero(path), "random": overwrite(path),
                "missing": remove(path), "text": overwrite(path, b"hello\n"),
            }.items():  # fmt: skip
                yield Variant("model", f"{path} {name}", corrupt, "map", "model", None, options)
    text = ("--reference", "{}/model_txt")
    names = sorted(MAP_NAMES)
    for name, corrupt in {
        "NaN pose": edit("model_txt/images.txt", "\n1 ", "\n1 nan "),
        "camera 7": edit("model_txt/images.txt", f" 1 {names[0]}", f" 7 {names[0]}"),
        "name twice": edit("model_txt/images.txt", names[0], names[1]),
        "other names": lambda root, _: write_bytes(
            root / "model_txt/images.txt",
            (root / "model_txt/images.txt").read_bytes().replace(b"a ", b"b "),
        ),
        "unknown model": edit("model_txt/cameras.txt", "SIMPLE_PINHOLE", "SPIRAL"),
        "another size": edit("model_txt/cameras.txt", "320 240", "320 320"),
        "no images": overwrite("model_txt/images.txt", b"# nothing\n"),
    }.items():
        named = "reference model" if name in ("other names", "no images") else "camera"
        named = "intrinsics" if name == "another size" else named
        named = "images.txt" if name in ("NaN pose", "camera 7", "name twice") else named
        yield Variant("model", f"text: {name}", corrupt, "map", named, None, text)
    yield Variant("model", "no such folder", no_change, "map", "nowhere", None,
                  ("--reference", "{}/nowhere"))  # fmt: skip
    yield Variant("model", "an image folder", no_change, "map", "images", None,
                  ("--reference", "{}/images"))  # fmt: skip


def list_variants() -> Iterator[Variant]:
    """Yield variants with corrupted lists of queries, images and pairs."""
    victim = sorted(MAP_NAMES)[0]
    other = sorted(MAP_NAMES)[1]
    for name, corrupt in {
        "empty": overwrite("queries.txt", b""), "comments": overwrite("queries.txt", b"# x\n"),
        "random": overwrite("queries.txt"), "zeros": zero("queries.txt"),
        "missing": remove("queries.txt"),
        "UTF-16": overwrite("queries.txt", "a b".encode("utf-16")),
        "a photo": lambda root, _: shutil.copy(root / "queries/q7.jpg", root / "queries.txt"),
    }.items():  # fmt: skip
        yield Variant("list", f"queries {name}", corrupt, "localize", "queries")
    for file, option in (("list.txt", "--image-list"), ("pairs.txt", "--pairs")):
        options = (option, f"{{}}/{file}")
        for name, corrupt in {
            "empty": overwrite(file, b""), "random": overwrite(file), "zeros": zero(file),
            "unknown name": edit(file, victim, "nobody.jpg"), "missing": remove(file),
        }.items():  # fmt: skip
            named = {"unknown name": "nobody.jpg", "empty": ""}.get(name, file)
            yield Variant("list", f"{file} {name}", corrupt, "map", named, None, options)
    options = ("--pairs", "{}/pairs.txt")
    for name, new in {"with itself": f"{victim} {victim}", "one name": victim}.items():
        yield Variant("list", f"pairs.txt {name}", edit("pairs.txt", f"{victim} {other}", new),
                      "map", "pairs.txt", None, options)  # fmt: skip
    for spec in ("retrieval:0", "retrieval:x", "sequential", "covisible:5", "everything"):
        yield Variant("list", f"--pairs {spec}", no_change, "map", spec.partition(":")[0], None,
                      ("--pairs", spec))  # fmt: skip


def config_variants() -> Iterator[Variant]:
    """Yield variants with wrong configs."""
    file = ("--config", "{}/config.toml")
    for name, content, named in (
        ("empty", b"", ""), ("random", None, "config.toml"), ("no TOML", b"[features\n", "toml"),
        ("unknown key", b"[features]\nmax_keypoint = 3\n", "max_keypoints"),
        ("unknown section", b"[feature]\nx = 1\n", "feature"),
        ("out of range", b"[features]\nmax_keypoints = -3\n", "max_keypoints"),
        ("wrong type", b"[features]\nmax_keypoints = 'many'\n", "max_keypoints"),
        ("NaN", b"[pose]\nmax_error_px = nan\n", "max_error_px"),
        ("infinite", b"[pose]\nmax_error_px = inf\n", "max_error_px"),
        ("no section", b"features = 3\n", "features"),
        ("unknown mapper", b"[mapping]\nmapper = 'x'\n", "mapper"),
        ("unknown camera model", b"[mapping]\ncamera_model = 'x'\n", "'x'"),
        ("unknown estimator", b"[pose]\nestimator = 'x'\n", "'x'"),
    ):  # fmt: skip
        options = file
        yield Variant(
            "config", name, overwrite("config.toml", content), "map", named, None, options
        )
    for name, option in (("no value", "pose"), ("unknown", "pose.max_eror_px=3"), ("dots", "=3")):
        yield Variant("config", f"--set {name}", no_change, "localize", "pose" if "p" in option
                      else "--set", None, ("--set", option))  # fmt: skip
    yield Variant("config", "other features", no_change, "localize", "features", None,
                  ("--set", "features.name=disk"))  # fmt: skip
    yield Variant("config", "missing file", no_change, "map", "nothing.toml", None,
                  ("--config", "{}/nothing.toml"))  # fmt: skip
    yield Variant(
        "config", "device", no_change, "localize", "quantum", None, ("--device", "quantum")
    )


def _map_is_a_file(root: Path, _: np.random.Generator) -> None:
    shutil.rmtree(root / "map")
    write_bytes(root / "map", b"x")


def _map_is_empty(root: Path, _: np.random.Generator) -> None:
    shutil.rmtree(root / "map")
    (root / "map").mkdir()


def map_file_variants() -> Iterator[Variant]:
    """Yield variants with corrupted map folders."""
    for file in MAP_FILES:
        path = f"map/{file}"
        for name, corrupt in {
            "truncated": truncate(path), "empty": overwrite(path, b""), "zeros": zero(path),
            "random": overwrite(path), "missing": remove(path), "damaged": scramble(path),
            "one byte": scramble(path, 1),
        }.items():  # fmt: skip
            yield Variant("map folder", f"{file} {name}", corrupt, "localize", "map")
    for name, corrupt in {
        "is a file": _map_is_a_file,
        "is empty": _map_is_empty,
        "has no model": lambda root, _: shutil.rmtree(root / "map/sfm"),
        "other schema": edit("map/map.json", "hloc_lite.map/1", "hloc_lite.map/99"),
        "weights by hand": edit("map/map.json", '"weights"', '"weight"'),
    }.items():
        yield Variant("map folder", name, corrupt, "localize", "map")


def mask_and_output_variants() -> Iterator[Variant]:
    """Yield variants with corrupted masks and unusable outputs."""
    mask, masks = f"masks/{MAP_VICTIM}.png", ("--masks", "{}/masks")
    white = np.full((240, 320), 255, np.uint8)
    for name, corrupt in {
        "other size": save_image(mask, white[:, :300]), "all black": save_image(mask, 0 * white),
        "truncated": truncate(mask), "empty": overwrite(mask, b""),
    }.items():  # fmt: skip
        yield Variant("mask", name, corrupt, "map", MAP_VICTIM, MAP_VICTIM, masks)
    yield Variant("mask", "no folder", no_change, "map", "nowhere", None, ("--masks", "{}/nowhere"))
    yield Variant("mask", "no mask there", no_change, "map", "queries", None,
                  ("--masks", "{}/queries"))  # fmt: skip
    for verb in ("map", "localize"):
        for name, target in {
            "below a file": "{}/gt.txt/below", "on a device": "/dev/null/x",
            "in /proc": "/proc/nowhere/x",
        }.items():  # fmt: skip
            yield Variant("output", f"{verb}: {name}", no_change, verb,
                          target.removeprefix("{}/").split("/")[0], None,
                          ("-o", target))  # fmt: skip
    yield Variant("output", "map: is a file", no_change, "map", "gt.txt", None, ("-o", "{}/gt.txt"))
    yield Variant("output", "localize: is a folder", no_change, "localize", "masks", None,
                  ("-o", "{}/masks"))  # fmt: skip
    for name, content in (("cut", b'{"run": "0'), ("random", None), ("a list", b"[]\n[]\n")):
        yield Variant("output", f"localize: progress file {name}",
                      overwrite(".poses.txt.progress", content), "localize",
                      "progress")  # fmt: skip


def variants() -> list[Variant]:
    """All variants, in a fixed order."""
    groups = (
        image_variants, intrinsics_variants, model_variants, list_variants, config_variants,
        map_file_variants, mask_and_output_variants,
    )  # fmt: skip
    return [variant for group in groups for variant in group()]
