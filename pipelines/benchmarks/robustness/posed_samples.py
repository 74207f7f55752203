"""Small valid files and folders of all formats of posed images, as their programs write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hloc_lite.formats.bundler import write_bundler
from hloc_lite.formats.cambridge import write_cambridge
from hloc_lite.formats.capture import CaptureSession, write_session
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.colmap.reconstruction import to_pycolmap_reconstruction
from hloc_lite.formats.given_intrinsics import ANY_IMAGE
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from hloc_lite.formats.kapture import DevicePose, Record, Sensor, write_kapture
from hloc_lite.formats.nerfstudio_writers import write_instant_ngp, write_nerfstudio
from hloc_lite.formats.nvm import write_nvm
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.pseudo_truth import write_pseudo_truth
from hloc_lite.formats.recognition import read_posed_images
from hloc_lite.formats.seven_scenes import write_seven_scenes
from hloc_lite.formats.twelve_scenes import Sequence as RoomSequence
from hloc_lite.formats.twelve_scenes import write_twelve_scenes
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera
from pipelines.benchmarks.robustness.recording_samples import (
    write_euroc_sample,
    write_four_seasons_sample,
    write_kitti_sample,
    write_rio10_list_sample,
    write_rio10_sample,
    write_scanner_app_sample,
    write_stray_scanner_sample,
    write_tum_sample,
)
from pipelines.benchmarks.robustness.sample_model import (
    NAMES,
    SHARED,
    FormatSample,
    poses_of,
    sample_model,
    write_photos,
)


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


def _pseudo_truth(folder: Path) -> None:
    names = ("seq-01/frame-000000.color.png", "seq-01/frame-000001.color.png")
    write_photos(folder, names)
    write_pseudo_truth(folder / "chess_test.txt", _posed(sample_model(names, "SIMPLE_PINHOLE")))


def _sample(
    name: str,
    write: Callable[[Path], None],
    entry: str = ".",
    cameras: Mapping[str, Camera] | None = None,
    kind: str | None = None,
    counted: tuple[str, ...] = (),
) -> FormatSample:
    def read(folder: Path) -> object:
        return read_posed_images(folder / entry, folder, cameras)

    kind = name if kind is None else kind
    return FormatSample(name, write, read, entry, kind, group="models", counted=counted)


def _cameras() -> dict[str, Camera]:
    return {name: SHARED[ANY_IMAGE] for name in NAMES}


_TRANSFORMS = "transforms.json (nerfstudio, instant-ngp)"
POSED_SAMPLES = (
    _sample(
        "COLMAP model, binary", lambda folder: write_model(folder, sample_model()),
        kind="COLMAP model", counted=("*.bin",),
    ),
    _sample("COLMAP model, text", _colmap_text, kind="COLMAP model", counted=("*.txt",)),
    _sample(
        "COLMAP database",
        lambda folder: write_database(folder / "database.db", number_images(_cameras()), {}),
        "database.db", counted=("*.db",),
    ),
    _sample("kapture", lambda folder: write_kapture(folder, _posed(sample_model()))),
    _sample("LaMAR capture session", _capture),
    _sample("nerfstudio", _nerfstudio, kind=_TRANSFORMS, counted=("*.json",)),
    _sample("instant-ngp", _instant_ngp, "scene.json", kind=_TRANSFORMS, counted=("*.json",)),
    _sample("NVM", _nvm, "m.nvm", counted=("*.nvm",)),
    _sample("Bundler", _bundler, "bundle.out", counted=("bundle.out", "list.txt")),
    _sample("7-Scenes", _seven_scenes, counted=("*.pose.txt",)),
    _sample("12-Scenes", _twelve_scenes, counted=("*.pose.txt",)),
    _sample("Cambridge Landmarks", _cambridge, counted=("*.nvm",)),
    _sample("TUM RGB-D", write_tum_sample, cameras=SHARED),
    _sample("EuRoC MAV", write_euroc_sample),
    _sample("KITTI odometry", write_kitti_sample, "sequences/00", counted=("00.txt", "times.txt")),
    _sample("4Seasons", write_four_seasons_sample),
    _sample("RIO10", write_rio10_sample, counted=("*.pose.txt",)),
    _sample("RIO10 poses", write_rio10_list_sample, "GT_RIO10.txt"),
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
    _sample("3D Scanner App", write_scanner_app_sample, counted=("*.json",)),
    _sample("Stray Scanner", write_stray_scanner_sample, counted=("camera_matrix.csv",)),
)  # fmt: skip
"""Samples of all kinds that ``recognition`` knows."""
