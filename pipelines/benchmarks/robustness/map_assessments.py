"""Assessments of maps from scratch, against true poses: silent wrong cameras and false doubts.

    python -m pipelines.benchmarks.robustness.map_assessments SCENE... -o OUT [--known-focal]

Each scene is a folder with images/, map_images.txt and model/ (a rendered town, a real case). Its
map is built without the poses, aligned to them by a robust similarity, and compared camera by
camera. A camera is wrong beyond 5 % of the cameras' spread or 2 degrees.
Maps that are in OUT already are used again.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import Config, load_config
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.cameras import camera_from_focal, focal_lengths
from hloc_lite.geometry.robust_similarity import fit_similarity_robust
from hloc_lite.geometry.rotations import rotation_angle_deg
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

MAX_ERROR = 0.05
MAX_ROTATION_DEG = 2.0


@click.command()
@click.argument("scenes", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
@click.option("--known-focal", is_flag=True, help="Give the true focal lengths, as EXIF would.")
@click.option("--features", default="aliked-n16", show_default=True)
def main(scenes: tuple[Path, ...], output: Path, known_focal: bool, features: str) -> None:
    """Build the maps of SCENES from scratch, and compare their assessments with the truth."""
    config = load_config("balanced", None, (), {"features": {"name": features}})
    table: Counter[tuple[bool, bool]] = Counter()
    silent = 0
    for scene in scenes:
        name = f"{scene.name}-{features}{'-focal' if known_focal else ''}"
        reference = read_dataset_folder(scene).reference
        if reference is None:
            click.echo(f"{name}: no true poses, left out")
            continue
        try:
            found = _map(scene, reference, output / name, config, known_focal)
        except HlocLiteError as error:
            click.echo(f"{name}: no map: {error}")
            continue
        wrong, worst = wrong_cameras(found.model, reference)
        doubtful = set(found.report["assessment"]["doubtful_cameras"])
        table[bool(wrong), bool(doubtful)] += 1
        silent += len(wrong - doubtful)
        click.echo(
            f"{name}: {found.report['registered']} of {found.report['images_given']} registered, "
            f"worst {100 * worst:.1f} %, {len(wrong)} wrong, {len(doubtful)} doubtful, "
            f"{len(wrong - doubtful)} silent"
        )
    right = table[False, False] + table[False, True]
    click.echo(f"maps: {table.total()}; all cameras right: {right}")
    click.echo(f"right and called doubtful: {table[False, True]} of {right}")
    click.echo(
        f"wrong and called doubtful: {table[True, True]}; wrong, silent: {table[True, False]}"
    )
    click.echo(f"silent wrong cameras: {silent}")


def _map(scene: Path, reference: SfmModel, folder: Path, config: Config, known: bool) -> Map:
    if (folder / "map.json").is_file():
        return Map.open(folder)
    names = [image.name for image in reference.images]
    cameras = _cameras(reference) if known else None
    inputs = MapInputs(names=names, cameras=cameras)
    return build_map(scene / "images", config, inputs=inputs, output=folder, keep_work=True)


def _cameras(reference: SfmModel) -> dict[str, Camera]:
    """Cameras with the true focal length, and nothing else of the truth."""
    by_id = {}
    for key, camera in reference.cameras.items():
        focal = float(focal_lengths(camera).mean())
        size = (camera.width, camera.height)
        by_id[key] = camera_from_focal("SIMPLE_RADIAL", *size, focal, has_prior_focal=True)
    return {image.name: by_id[image.camera_id] for image in reference.images}


def wrong_cameras(model: SfmModel, reference: SfmModel) -> tuple[set[str], float]:
    """Names of wrong cameras, and the largest position error as a share of the true spread.

    All cameras are wrong if no similarity aligns them with the truth.
    """
    true = {image.name: image.cam_from_world for image in reference.images}
    names = [image.name for image in model.images if image.name in true]
    everywhere = np.array([pose.center for pose in true.values()])
    spread = float(np.linalg.norm(everywhere - everywhere.mean(axis=0), axis=1).mean())
    poses = {image.name: image.cam_from_world for image in model.images}
    if len(names) < 3:
        return set(names), float("inf")
    source = np.array([poses[name].center for name in names])
    target = np.array([true[name].center for name in names])
    found = fit_similarity_robust(source, target, fit_similarity, 3, 1000, 1e-4 * spread)
    if found is None:
        return set(names), float("inf")
    wrong, worst = set(), 0.0
    for name in names:
        pose = found[0].pose_in_a(poses[name])
        error = float(np.linalg.norm(pose.center - true[name].center)) / spread
        turn = rotation_angle_deg(pose.rotation, true[name].rotation)
        worst = max(worst, error)
        if error > MAX_ERROR or turn > MAX_ROTATION_DEG:
            wrong.add(name)
    return wrong, worst


if __name__ == "__main__":
    main()
