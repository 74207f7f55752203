"""Answers about places that a map does not have, but that look like some it has.

    python -m pipelines.benchmarks.robustness.look_alikes MAP ... --town MAP TOWN --joined MAP MAP

Of each MAP, its own photos are localized from their stored features without themselves, where the
answer should be right, and without their neighbourhood: all images that share
``self_test.neighbour_landmarks`` landmarks with them. ``--joined`` joins two maps before.
``--town`` leaves one of the twin streets of a rendered town out of its map, and localizes the
queries that were taken in it. An answer is wrong beyond 0.25 m or 2 degrees in maps with known
poses, else beyond 5 % of the mean distance of the cameras from their centre.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import ConfidenceConfig
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.io.images import read_photo
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.self_test import SelfTest, SelfTestAnswer, camera_spread
from hloc_lite.maps.calibration import SelfTestKind
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of
from hloc_lite.scene import SfmModel
from hloc_lite.synthetic.layout import TWIN_EDGES, Plan
from hloc_lite.synthetic.planning import make_plan
from hloc_lite.types import NO_POINT, Float64, Rigid3
from pipelines.benchmarks.table import Table, results_option
from pipelines.calibration.metrics import probability_metrics

COLUMNS = ["map", "left out", "photos", "poses", "given but wrong", "right given", "right withheld",
           "highest confidence in a wrong pose", "AUROC", "ECE"]  # fmt: skip
APART = 1000.0
"""Distance between two joined maps, in mean distances of the cameras from their centre."""
TITLES = {
    SelfTestKind.SELF_LEFT_OUT: "the photo",
    SelfTestKind.NEIGHBOURHOOD_LEFT_OUT: "its neighbourhood",
}


@click.command()
@click.argument("maps", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--joined", nargs=2, multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--town", "towns", nargs=2, multiple=True, help="MAP and the town's folder.",
              type=click.Path(path_type=Path, exists=True))  # fmt: skip
@click.option("--global", "only_global", is_flag=True, help="Without what each map has learned.")
@click.option("--without-surface", is_flag=True, help="Without synthesized views.")
@results_option
def main(
    maps: tuple[Path, ...],
    joined: tuple[tuple[Path, Path], ...],
    towns: tuple[tuple[Path, Path], ...],
    only_global: bool,
    without_surface: bool,
    results: Path | None,
) -> None:
    """Print a row for each map and kind of left-out images."""
    table = Table("Look-alikes", COLUMNS, "Given: with confidence.min_confidence or more.")
    for folder in maps:
        for kind in SelfTestKind:
            test = SelfTest(Localizer(_opened(folder, only_global)))
            answers = [test.answer(name, kind) for name in test.names(kind)]
            add_row(table, folder.name, TITLES[kind], answers)
    for pair in joined:
        both = join_maps(Map.open(pair[0]), Map.open(pair[1]))
        test, kind = SelfTest(Localizer(both)), SelfTestKind.NEIGHBOURHOOD_LEFT_OUT
        names = [name for name in test.names(kind) if name.startswith("0/")]
        answers = [test.answer(name, kind) for name in names]
        add_row(table, f"{pair[0].name} with {pair[1].name}", TITLES[kind], answers)
    for folder, town in towns:
        sfm_map = _opened(folder, only_global)
        if without_surface:
            sfm_map = replace(sfm_map, surface=None)
        answers = list(twin_answers(sfm_map, town))
        add_row(table, folder.name, "twin street", answers)
    table.write(results)


def add_row(table: Table, name: str, left_out: str, answers: Sequence[SelfTestAnswer]) -> None:
    """Add a row about some answers."""
    found = [each for each in answers if each.has_pose]
    if not found:
        table.add(name, left_out, len(answers), *[0] * 4, None, None, None)
        return
    probability = np.array([each.probability for each in found])
    correct = np.array([not each.is_wrong for each in found])
    given = probability >= ConfidenceConfig().min_confidence
    metrics = probability_metrics(probability, correct)
    table.add(
        name, left_out, len(answers), len(found), int((given & ~correct).sum()),
        int((given & correct).sum()), int((~given & correct).sum()),
        round(float(probability[~correct].max(initial=0.0)), 3), round(metrics.auroc, 4),
        round(metrics.ece, 4),
    )  # fmt: skip


def twin_answers(sfm_map: Map, town: Path) -> Iterator[SelfTestAnswer]:
    """Localize the queries of each twin street in the map without the images of that street."""
    plan = make_plan(int(json.loads((town / "town.json").read_text())["seed"]))
    localizer = Localizer(sfm_map)
    test, pipeline = SelfTest(localizer), localizer.pipeline
    streets = {i.name: twin_street(plan, i.cam_from_world) for i in sfm_map.model.images}
    for each in read_dataset_folder(town).iter_queries():
        assert each.cam_from_world is not None  # towns have all true poses
        street = twin_street(plan, each.cam_from_world)
        if street is None:
            continue
        photo = read_photo(town / "images" / each.name, each.name, localizer.config.images)
        query, _ = pipeline.describe(photo, each.camera)
        descriptor = pipeline.global_descriptor.describe([photo])[0]
        left_out = {name for name, of_image in streets.items() if of_image == street}
        kind = SelfTestKind.NEIGHBOURHOOD_LEFT_OUT
        yield test.answer_query(query, descriptor, left_out, each.cam_from_world, kind)


def twin_street(plan: Plan, cam_from_world: Rigid3) -> int | None:
    """Index of the twin street that a camera stands in; None if it stands elsewhere."""
    for index, edge in enumerate(TWIN_EDGES):
        street = plan.street(edge)
        offset: Float64 = cam_from_world.center[:2] - street.start
        along, across = offset @ street.direction, offset @ street.left
        if 0 <= along <= street.length and abs(across) <= street.half_width:
            return index
    return None


def join_maps(first: Map, second: Map) -> Map:
    """Two maps with the same features in one, far apart; image names begin with 0/ and 1/."""
    shift = np.array([APART * camera_spread(first.model), 0.0, 0.0])
    models = [prefixed(first.model, "0/", np.zeros(3), 0, 0)]
    last = max(first.model.cameras)
    models.append(prefixed(second.model, "1/", shift, first.model.num_points, last))
    pairs = list(zip((first, second), ("0/", "1/"), strict=True))
    rows = [
        landmark_descriptors_of(each).rows_of(np.arange(each.model.num_points))[0]
        for each, _ in pairs
    ]
    descriptors = np.concatenate(rows)
    return replace(
        first,
        model=SfmModel(
            {**models[0].cameras, **models[1].cameras},
            (*models[0].images, *models[1].images),
            np.arange(len(descriptors)),
            np.concatenate([each.xyz for each in models]),
            np.concatenate([each.rgb for each in models]),
            np.concatenate([each.errors_px for each in models]),
        ),
        features={p + n: each.features[n] for each, p in pairs for n in each.features},
        global_names=tuple(p + n for each, p in pairs for n in each.global_names),
        global_descriptors=np.concatenate([each.global_descriptors for each, _ in pairs]),
        landmark_labels=None,
        landmark_descriptors=LandmarkDescriptors(descriptors, np.arange(len(descriptors) + 1)),
        georeference=None, photos=None, calibration=None,
    )  # fmt: skip


def prefixed(
    model: SfmModel, prefix: str, shift: Float64, first_point: int, first_camera: int
) -> SfmModel:
    """Model with other names, moved by ``shift``, with other numbers of points and cameras."""
    images = []
    for number, image in enumerate(model.images):
        pose, points = image.cam_from_world, image.point3D_idxs
        moved = Rigid3(pose.rotation, pose.translation - pose.rotation @ shift)
        images.append(
            replace(
                image,
                image_id=first_camera * 10**6 + number,
                name=prefix + image.name,
                camera_id=image.camera_id + first_camera,
                cam_from_world=moved,
                point3D_idxs=np.where(points == NO_POINT, NO_POINT, points + first_point),
            )
        )
    cameras = {number + first_camera: camera for number, camera in model.cameras.items()}
    return replace(model, cameras=cameras, images=tuple(images), xyz=model.xyz + shift)


def _opened(folder: Path, only_global: bool) -> Map:
    sfm_map = Map.open(folder)
    return replace(sfm_map, calibration=None) if only_global else sfm_map


if __name__ == "__main__":
    main()
