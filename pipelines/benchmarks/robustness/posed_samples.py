"""Small valid files and folders of all formats of posed images, as their programs write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hloc_lite.formats.bundler import write_bundler
from hloc_lite.formats.cambridge import write_cambridge
from hloc_lite.formats.capture import CaptureSession, write_session
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.colmap.reconstruction import to_pycolmap_reconstruction
from hloc_lite.formats.euroc import write_euroc, write_euroc_images
from hloc_lite.formats.four_seasons import (
    write_four_seasons_calib,
    write_four_seasons_poses,
    write_four_seasons_stereo,
)
from hloc_lite.formats.given_intrinsics import ANY_IMAGE
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from hloc_lite.formats.kapture import DevicePose, Record, Sensor, write_kapture
from hloc_lite.formats.kitti import (
    KittiCamera,
    write_kitti_calib,
    write_kitti_poses,
    write_kitti_times,
)
from hloc_lite.formats.nerfstudio_writers import write_instant_ngp, write_nerfstudio
from hloc_lite.formats.nvm import write_nvm
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.pseudo_truth import write_pseudo_truth
from hloc_lite.formats.recognition import read_posed_images
from hloc_lite.formats.rio10 import (
    IMAGE_SIZE,
    write_rio10_frames,
    write_rio10_intrinsics,
    write_rio10_poses,
)
from hloc_lite.formats.seven_scenes import write_seven_scenes
from hloc_lite.formats.trajectories import write_tum, write_tum_images
from hloc_lite.formats.twelve_scenes import Sequence as RoomSequence
from hloc_lite.formats.twelve_scenes import write_twelve_scenes
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import exp_so3, quat_wxyz_from_rotation
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

NAMES = ("a/0.png", "a/1 b.png", "ü.png")
SIZE = (640, 480)
SHARED = {ANY_IMAGE: Camera("PINHOLE", *SIZE, np.array([500.0, 510, 320, 240]))}
STEP_NS = 50_000_000
NUM_POINTS = 12


class FormatSample(NamedTuple):
    """Valid files of one format, written anew for each use."""

    name: str
    write: Callable[[Path], None]
    """Writes them into an empty folder."""
    read: Callable[[Path], object]
    """Value that the files of the folder stand for."""
    entry: str = ""
    """File or folder that is recognized, relative to the folder; empty for other formats."""
    kind: str = ""
    """Name under which ``entry`` is recognized."""


def sample_model(
    names: Sequence[str] = NAMES, model: str = "PINHOLE", size: tuple[int, int] = SIZE
) -> SfmModel:
    """Model of a few images that all see the same points."""
    focals = [500.0] if model.startswith("SIMPLE") else [500.0, 510.0]
    distortion = {"SIMPLE_RADIAL": [0.01]}.get(model, [])
    camera = Camera(model, *size, np.array([*focals, size[0] / 2, size[1] / 2, *distortion]))
    rng = np.random.default_rng(5)
    xyz = rng.uniform(-1, 1, (NUM_POINTS, 3))
    images = []
    for number, name in enumerate(names):
        pose = Rigid3(exp_so3([0.02 * number, 0.1, -0.05]), np.array([0.3 * number, 0.1, 8.0]))
        pixels = img_from_cam(camera, pose.apply(xyz))
        images.append(SfmImage(number + 1, name, 1, pose, pixels, np.arange(NUM_POINTS)))
    colours = rng.integers(0, 256, (NUM_POINTS, 3)).astype(np.uint8)
    return SfmModel(
        {1: camera}, tuple(images), np.arange(1, NUM_POINTS + 1), xyz, colours, np.zeros(NUM_POINTS)
    )


def poses_of(model: SfmModel) -> dict[str, Rigid3]:
    """Image name -> cam_from_world."""
    return {image.name: image.cam_from_world for image in model.images}


def write_photos(folder: Path, names: Sequence[str], size: tuple[int, int] = SIZE) -> None:
    """Write black photos, for formats that take sizes from them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size).save(folder / name)


def _posed(model: SfmModel) -> PosedImages:
    cameras = {image.name: model.cameras[image.camera_id] for image in model.images}
    return PosedImages(model=posed_model(cameras, poses_of(model)), cameras=cameras)


def _colmap_text(folder: Path) -> None:
    (folder / "sparse" / "0").mkdir(parents=True)
    to_pycolmap_reconstruction(sample_model()).write_text(str(folder / "sparse" / "0"))


def _nvm(folder: Path) -> None:
    write_photos(folder, ("0.png", "1.png"))
    write_nvm(folder / "m.nvm", sample_model(("0.png", "1.png"), "SIMPLE_RADIAL"))


def _bundler(folder: Path) -> None:
    write_photos(folder, ("0.png", "1.png"))
    model = sample_model(("0.png", "1.png"), "SIMPLE_RADIAL")
    write_bundler(folder / "bundle.out", folder / "list.txt", model)


def _cambridge(folder: Path) -> None:
    names = ("seq1/frame00001.png", "seq1/frame00002.png")
    write_photos(folder, names, (1920, 1080))
    model = sample_model(names, "SIMPLE_RADIAL", (1920, 1080))
    write_cambridge(folder / "dataset_train.txt", poses_of(model))
    write_nvm(folder / "reconstruction.nvm", model)


def _seven_scenes(folder: Path) -> None:
    names = ("seq-01/frame-000000.color.png", "seq-01/frame-000001.color.png")
    write_photos(folder, names)
    write_seven_scenes(folder, "train", _posed(sample_model(names)))


def _twelve_scenes(folder: Path) -> None:
    names = [f"data/frame-{number:06d}.color.jpg" for number in range(3)]
    write_photos(folder, names)
    sequences = (RoomSequence("sequence0", 1), RoomSequence("sequence1", 2))
    write_twelve_scenes(folder, _posed(sample_model(names)), sequences)


def _capture(folder: Path) -> None:
    model = sample_model()
    world_from_cam = [image.cam_from_world.inverse() for image in model.images]
    write_session(
        folder,
        CaptureSession(
            folder=folder,
            sensors={"phone": Sensor.from_camera(model.cameras[1])},
            trajectories={
                (number, "phone"): DevicePose.from_rigid(pose)
                for number, pose in enumerate(world_from_cam)
            },
            records={
                "camera": tuple(
                    Record(number, "phone", (name,)) for number, name in enumerate(NAMES)
                )
            },
            queries=((1, "phone"),),
        ),
    )


def _nerfstudio(folder: Path) -> None:
    write_photos(folder, NAMES)
    write_nerfstudio(folder / "transforms.json", sample_model())


def _instant_ngp(folder: Path) -> None:
    write_photos(folder, NAMES)
    write_instant_ngp(folder / "scene.json", sample_model())


def _trajectory() -> dict[int, Rigid3]:
    """Nanoseconds -> world_from_cam of as many frames as there are names."""
    poses = poses_of(sample_model()).values()
    return {number * STEP_NS: pose.inverse() for number, pose in enumerate(poses)}


def _tum(folder: Path) -> None:
    write_tum(folder / "groundtruth.txt", _trajectory())
    write_tum_images(
        folder / "rgb.txt", {f"rgb/{number}.png": time for number, time in enumerate(_trajectory())}
    )


def _euroc(folder: Path) -> None:
    root = folder / "mav0"
    write_euroc(root / "state_groundtruth_estimate0" / "data.csv", _trajectory())
    write_euroc_images(root / "cam0" / "data.csv", {f"{time}.png": time for time in _trajectory()})
    (root / "cam0" / "sensor.yaml").write_text(
        "sensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n"
        "  data: [0.0, -1.0, 0.0, 0.1, 1.0, 0.0, 0.0, 0.2, 0.0, 0.0, 1.0, 0.3, 0, 0, 0, 1]\n"
        "camera_model: pinhole\nintrinsics: [458.6, 457.2, 367.2, 248.3]\nresolution: [752, 480]\n"
        "distortion_model: radial-tangential\ndistortion_coefficients: [-0.28, 0.07, 0.0, 0.0]\n",
        encoding="utf-8",
    )


def _kitti(folder: Path) -> None:
    sequence = folder / "sequences" / "00"
    write_photos(sequence, [f"image_2/{number:06d}.png" for number in range(len(NAMES))])
    write_kitti_poses(folder / "poses" / "00.txt", list(_trajectory().values()))
    write_kitti_times(sequence / "times.txt", _trajectory())
    baseline = Rigid3(np.eye(3), np.array([-0.06, 0.0, 0.0]))
    camera = Camera("PINHOLE", *SIZE, np.array([700.0, 700, 320, 240]))
    write_kitti_calib(sequence / "calib.txt", {"P2": KittiCamera(camera, baseline)})


def _four_seasons(folder: Path) -> None:
    camera = Camera("PINHOLE", 800, 400, np.array([500.0, 500, 400, 200]))
    for number in (0, 1):
        write_four_seasons_calib(folder / "Calibration" / f"undistorted_calib_{number}.txt", camera)
    stereo = Rigid3(np.eye(3), np.array([-0.3, 0.0, 0.0]))
    write_four_seasons_stereo(folder / "Calibration" / "undistorted_calib_stereo.txt", stereo)
    poses = {str(1600000000 + time): pose for time, pose in _trajectory().items()}
    write_four_seasons_poses(folder / "poses.txt", poses)


def _rio10(folder: Path) -> None:
    names = [f"seq01_01/frame-{number:06d}.color.jpg" for number in range(2)]
    write_photos(folder, names, IMAGE_SIZE)
    write_rio10_frames(folder, poses_of(sample_model(names)))
    camera = Camera("PINHOLE", *IMAGE_SIZE, np.array([750.0, 750, 270, 480]))
    write_rio10_intrinsics(folder / "intrinsics.txt", {"seq01_01": camera})


def _rio10_list(folder: Path) -> None:
    names = [f"seq01_02/frame-{number:06d}.color.jpg" for number in range(2)]
    write_rio10_poses(folder / "GT_RIO10.txt", poses_of(sample_model(names)))
    camera = Camera("PINHOLE", *IMAGE_SIZE, np.array([750.0, 750, 270, 480]))
    write_rio10_intrinsics(folder / "intrinsics.txt", {"seq01_02": camera})


def _pseudo_truth(folder: Path) -> None:
    names = ("seq-01/frame-000000.color.png", "seq-01/frame-000001.color.png")
    write_photos(folder, names)
    write_pseudo_truth(folder / "chess_test.txt", _posed(sample_model(names, "SIMPLE_PINHOLE")))


def _stray_scanner(folder: Path) -> None:
    write_photos(folder, ("frame_000000.jpg", "frame_000001.jpg"))
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw"]
    for number, pose in enumerate(list(_trajectory().values())[:2]):
        w, x, y, z = quat_wxyz_from_rotation(pose.rotation)
        values = ", ".join(repr(float(value)) for value in (*pose.translation, x, y, z, w))
        lines.append(f"{number / 60}, {number:06d}, {values}")
    (folder / "odometry.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    matrix = "500.0, 0.0, 320.0\n0.0, 500.0, 240.0\n0.0, 0.0, 1.0\n"
    (folder / "camera_matrix.csv").write_text(matrix, encoding="utf-8")


def _scanner_app(folder: Path) -> None:
    for number, pose in enumerate(list(_trajectory().values())[:2]):
        write_photos(folder, [f"frame_{number:05d}.jpg"])
        content = {
            "cameraPoseARFrame": pose.matrix.ravel().tolist(),
            "intrinsics": [500.0, 0, 320, 0, 500, 240, 0, 0, 1],
            "time": 1.5,
        }
        (folder / f"frame_{number:05d}.json").write_text(json.dumps(content), encoding="utf-8")


def _sample(
    name: str,
    write: Callable[[Path], None],
    entry: str = ".",
    cameras: Mapping[str, Camera] | None = None,
    kind: str | None = None,
) -> FormatSample:
    def read(folder: Path) -> object:
        return read_posed_images(folder / entry, folder, cameras)

    return FormatSample(name, write, read, entry, name if kind is None else kind)


def _cameras() -> dict[str, Camera]:
    return {name: SHARED[ANY_IMAGE] for name in NAMES}


_TRANSFORMS = "transforms.json (nerfstudio, instant-ngp)"
POSED_SAMPLES = (
    _sample(
        "COLMAP model, binary", lambda folder: write_model(folder, sample_model()),
        kind="COLMAP model",
    ),
    _sample("COLMAP model, text", _colmap_text, kind="COLMAP model"),
    _sample(
        "COLMAP database",
        lambda folder: write_database(folder / "database.db", number_images(_cameras()), {}),
        "database.db",
    ),
    _sample("kapture", lambda folder: write_kapture(folder, _posed(sample_model()))),
    _sample("LaMAR capture session", _capture),
    _sample("nerfstudio", _nerfstudio, kind=_TRANSFORMS),
    _sample("instant-ngp", _instant_ngp, "scene.json", kind=_TRANSFORMS),
    _sample("NVM", _nvm, "m.nvm"),
    _sample("Bundler", _bundler, "bundle.out"),
    _sample("7-Scenes", _seven_scenes),
    _sample("12-Scenes", _twelve_scenes),
    _sample("Cambridge Landmarks", _cambridge),
    _sample("TUM RGB-D", _tum, cameras=SHARED),
    _sample("EuRoC MAV", _euroc),
    _sample("KITTI odometry", _kitti, "sequences/00"),
    _sample("4Seasons", _four_seasons),
    _sample("RIO10", _rio10),
    _sample("RIO10 poses", _rio10_list, "GT_RIO10.txt"),
    _sample(
        "SILDa",
        lambda folder: write_poses(folder / "silda-train-poses.txt", poses_of(sample_model())),
        cameras=SHARED,
    ),
    _sample("pseudo ground truth", _pseudo_truth, "chess_test.txt"),
    _sample(
        "list of poses", lambda folder: write_poses(folder / "p.txt", poses_of(sample_model())),
        "p.txt", SHARED,
    ),
    _sample(
        "list with intrinsics", lambda folder: write_queries(folder / "q.txt", _cameras()), "q.txt"
    ),
    _sample("3D Scanner App", _scanner_app),
    _sample("Stray Scanner", _stray_scanner),
)  # fmt: skip
"""Samples of all kinds that ``recognition`` knows."""
