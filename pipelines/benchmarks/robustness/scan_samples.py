"""Small valid files of scans, rigs, truths of benchmarks, and requests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.depth_cameras import read_depth_camera
from hloc_lite.formats.ply import PlyFile, write_ply
from hloc_lite.formats.point_files import read_point_files
from hloc_lite.formats.rig_images import read_rig_images
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.inloc_mat import (
    RankedPose,
    RankedPoses,
    read_img_list,
    write_img_list,
)
from hloc_lite.formats.submissions.name_reader import NameReader
from hloc_lite.formats.vpr_truth import (
    RecognitionTruth,
    read_recognition_names,
    read_recognition_truth,
    write_recognition_truth,
)
from hloc_lite.io.files import read_text
from hloc_lite.io.image_names import check_relative, natural_key, normalize_name
from hloc_lite.serve.geopose_request import parse_request
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.query import parse_query
from hloc_lite.types import Rigid3, Surface
from pipelines.benchmarks.robustness.sample_model import (
    NAMES,
    FormatSample,
    sample_model,
    write_photos,
)

PHOTO_SIZE = (48, 32)
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
"""PNG of one pixel, in base64."""


def _surface() -> Surface:
    corners = [[0, 0, 2], [1, 0, 2], [0, 1, 2], [1, 1, 3]]
    return Surface(corners, np.full((4, 3), 9), triangles=[[0, 1, 2], [1, 2, 3]])


def _points() -> Surface:
    return Surface(_surface().xyz, _surface().rgb)


def _read_ply(folder: Path) -> object:
    file = PlyFile.open(folder / "a.ply")
    return file.read_mesh() if file.has_faces else list(file.blocks())


def _write_ptx(folder: Path) -> None:
    pose = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
    points = "".join(f"{x} {y} 2 0.5 10 20 30\n" for x in range(3) for y in range(2))
    (folder / "scans").mkdir()
    (folder / "scans" / "a.ptx").write_text(f"3\n2\n{pose}{points}", encoding="utf-8")


def _write_depth_camera(folder: Path) -> None:
    text = (
        'camera = ["PINHOLE", 640, 480, 500, 500, 320, 240]\n'
        "photo_from_depth = [[1, 0, 0, 0.1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]\n"
    )
    (folder / "camera.toml").write_text(text, encoding="utf-8")


def _write_rig(folder: Path) -> None:
    write_model(folder / "model", sample_model())
    write_photos(folder, NAMES, PHOTO_SIZE)


def _write_truth(folder: Path) -> None:
    truth = RecognitionTruth(np.ones((2, 2)), np.zeros((3, 2)), 25.0)
    write_recognition_truth(folder / "t.npz", truth)


def _write_names(folder: Path) -> None:
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in NAMES), encoding="utf-8")


def _write_img_list(folder: Path) -> None:
    ranked = RankedPose("DUC1/c.jpg", 0.5, Rigid3.identity())
    write_img_list(folder / "i.mat", [RankedPoses("q.jpg", (ranked,))])


def _write_request(folder: Path) -> None:
    reading = {"sensorId": "0", "imageBytes": PIXEL, "size": [1, 1]}
    reading["params"] = {"model": "PINHOLE", "modelParams": [1, 1, 0.5, 0.5]}
    place = {"sensorId": "1", "latitude": 48.2, "longitude": 16.3, "altitude": 1, "accuracy": 5}
    body = {
        "id": "1",
        "timestamp": 1,
        "type": "geopose",
        "sensors": [{"id": "0", "type": "camera"}, {"id": "1", "type": "geolocation"}],
        "sensorReadings": {"cameraReadings": [reading], "geolocationReadings": [place]},
    }
    (folder / "body.json").write_text(json.dumps(body), encoding="utf-8")


def _read_request(folder: Path) -> object:
    try:
        parsed = parse_request((folder / "body.json").read_bytes())
        intrinsics = parsed.query.intrinsics()
    except Problem as problem:
        raise FormatError(str(problem)) from None
    return (
        parsed.id,
        parsed.version,
        parsed.image,
        parsed.query.model_dump(),
        intrinsics,
        parsed.hint,
    )


def _write_fields(folder: Path) -> None:
    lines = (
        "camera=PINHOLE 640 480 500 500 320 240", "prior_position=1 2 3", "prior_radius=5",
        "gravity=[0, 1, 0]", "frame=opengl", 'query={"maps": ["a"], "budget_ms": 100}',
    )  # fmt: skip
    (folder / "fields.txt").write_text("\n".join(lines), encoding="utf-8")


def _read_fields(folder: Path) -> object:
    lines = [line.partition("=") for line in read_text(folder / "fields.txt").split("\n")]
    try:
        query = parse_query([(name, value) for name, _, value in lines])
        return query.model_dump(), query.intrinsics()
    except Problem as problem:
        raise FormatError(str(problem)) from None


def _read_names(folder: Path) -> object:
    names = read_text(folder / "names.txt").splitlines()
    reader = NameReader(submission_form("aachen"), NAMES)
    check_relative(names)
    return sorted(names, key=natural_key), [
        (normalize_name(name), reader.read(name)) for name in names
    ]


SCAN_SAMPLES = (
    FormatSample(
        "PLY", lambda folder: write_ply(folder / "a.ply", [_surface()]), _read_ply,
        group="others", counted=("*.ply",),
    ),
    FormatSample(
        "PLY, text", lambda folder: write_ply(folder / "a.ply", [_surface()], ascii_text=True),
        _read_ply, group="others", counted=("*.ply",),
    ),
    FormatSample(
        "PLY, points", lambda folder: write_ply(folder / "a.ply", [_points()]), _read_ply,
        group="others", counted=("*.ply",),
    ),
    FormatSample(
        "PLY, points in text",
        lambda folder: write_ply(folder / "a.ply", [_points()], ascii_text=True),
        _read_ply, group="others", counted=("*.ply",),
    ),
    FormatSample(
        "PTX", _write_ptx, lambda folder: list(read_point_files(folder / "scans")),
        group="others", counted=("*.ptx",),
    ),
    FormatSample(
        "depth camera", _write_depth_camera,
        lambda folder: read_depth_camera(folder / "camera.toml"), group="others",
    ),
    FormatSample(
        "rig of a model", _write_rig,
        lambda folder: read_rig_images(folder / "model", folder, NAMES),
        group="models", counted=("*.bin",),
    ),
    FormatSample(
        "recognition truth", _write_truth,
        lambda folder: read_recognition_truth(folder / "t.npz"), group="npy", is_checked=True,
    ),
    FormatSample(
        "recognition names", _write_names,
        lambda folder: read_recognition_names(folder / "names.txt", len(NAMES)),
        group="others", counted=("*.txt",),
    ),
    FormatSample(
        "InLoc list", _write_img_list, lambda folder: read_img_list(folder / "i.mat"),
        group="others", counted=("*.mat",),
    ),
    FormatSample("GeoPose request", _write_request, _read_request, group="json"),
    FormatSample("request fields", _write_fields, _read_fields, group="json"),
    FormatSample("names", _write_names, _read_names, group="others"),
)  # fmt: skip
"""Samples of scans, truths, and what clients of the service send."""
