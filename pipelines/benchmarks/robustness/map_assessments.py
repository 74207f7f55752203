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

from hloc_lite.config import load_config
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.cameras import camera_from_focal, focal_lengths
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera
from pipelines.benchmarks.accuracy.aligned_cameras import Poses, camera_errors, wrong_cameras


@click.command()
@click.argument("scenes", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
@click.option("--known-focal", is_flag=True, help="Give the true focal lengths, as EXIF would.")
@click.option("--features", default="aliked-n16", show_default=True)
def main(scenes: tuple[Path, ...], output: Path, known_focal: bool, features: str) -> None:
    """Build the maps of SCENES from scratch, and compare their assessments with the truth."""
    config = load_config(overrides={"features": {"name": features}})
    table: Counter[tuple[bool, bool]] = Counter()
    silent = 0
    for scene in scenes:
        name = f"{scene.name}-{features}{'-focal' if known_focal else ''}"
        dataset = read_dataset_folder(scene)
        if dataset.reference is None:
            click.echo(f"{name}: no true poses, left out")
            continue
        reference = dataset.reference.with_images(dataset.map_image_names)
        cameras = _cameras(reference) if known_focal else None
        inputs = MapInputs(names=dataset.map_image_names, cameras=cameras)
        try:
            found = build_map(
                dataset.image_folder, config, inputs=inputs, output=output / name, keep_work=True
            )
        except HlocLiteError as error:
            click.echo(f"{name}: no map: {error}")
            continue
        errors = camera_errors(_poses(found.model), _poses(reference))
        wrong = wrong_cameras(errors)
        worst = max((error for error, _ in errors.values()), default=float("nan"))
        doubtful = set(found.report["assessment"]["doubtful_cameras"])
        table[bool(wrong), bool(doubtful)] += 1
        silent += len(wrong - doubtful)
        click.echo(
            f"{name}: {found.report['registered']} of {found.report['images_given']} registered, "
            f"worst {worst:.1f} %, {len(wrong)} wrong, {len(doubtful)} doubtful, "
            f"{len(wrong - doubtful)} silent"
        )
    right = table[False, False] + table[False, True]
    click.echo(f"maps: {table.total()}; all cameras right: {right}")
    click.echo(f"right and called doubtful: {table[False, True]} of {right}")
    click.echo(
        f"wrong and called doubtful: {table[True, True]}; wrong, silent: {table[True, False]}"
    )
    click.echo(f"silent wrong cameras: {silent}")


def _poses(model: SfmModel) -> Poses:
    return {image.name: image.cam_from_world for image in model.images}


def _cameras(reference: SfmModel) -> dict[str, Camera]:
    """Cameras with the true focal length, and nothing else of the truth."""
    by_id = {}
    for key, camera in reference.cameras.items():
        focal = float(focal_lengths(camera).mean())
        size = (camera.width, camera.height)
        by_id[key] = camera_from_focal("SIMPLE_RADIAL", *size, focal, has_prior_focal=True)
    return {image.name: by_id[image.camera_id] for image in reference.images}


if __name__ == "__main__":
    main()
