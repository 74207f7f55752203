"""Finished maps from the models of a run: features, descriptors, labels and report of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.consistency.landmark_labels import landmark_weights
from hloc_lite.io.image_sources import FolderSource, ImageSource, photo_hashes
from hloc_lite.io.partial_store import PartialStore
from hloc_lite.io.versions import software_versions
from hloc_lite.mapping.labels import label_map_points
from hloc_lite.mapping.model_choice import localizing_strength
from hloc_lite.mapping.pairs import PairedImages
from hloc_lite.mapping.reconstruction import BuiltModels
from hloc_lite.mapping.report import map_report
from hloc_lite.mapping.run import Run
from hloc_lite.mapping.scratch import candidate_records
from hloc_lite.maps.map import Map
from hloc_lite.maps.side_maps import side_map_name
from hloc_lite.maps.storage import StoredFeatures
from hloc_lite.scene import SfmModel


def assemble_maps(
    run: Run,
    paired: PairedImages,
    built: BuiltModels,
    features: PartialStore,
    skipped: Mapping[str, str],
    image_hashes: Mapping[str, str],
    made_from: str,
    clock: StageClock,
) -> Iterator[Map]:
    """Yield the map of each model, best first; their features stay in the store.

    Args:
        skipped: name -> reason for each image that was not used at all.
        image_hashes: name -> fingerprint of each image and its mask.
        made_from: fingerprint of the maps.
        clock: receives the time of ``assessment`` and ``labels``.
    """
    common = _common_report(run, built)
    hashes = photo_hashes(run.source, image_hashes)
    for number, model in enumerate(built.models):
        report = map_report(
            model,
            [*paired.names, *skipped],
            skipped,
            {name: len(rows) for name, rows in paired.keypoints.items()},
            {pair: len(view.inliers) for pair, view in built.pairs.two_views.items()},
            built.min_verified,
            {**built.left_out, **_in_other_models(built, number, run)},
            hashes,
            {name: len(rows) for name, rows in features.dropped.items()},
        )
        if run.inputs.reference is None and run.config.assessment.enabled:
            with clock("assessment"):
                report |= assessment_report(model, built, run.source, run.config)
        if built.lifted is not None:
            report |= {"depth": dict(built.lifted.report)}
        labels = None
        if run.models.segmenter is not None:
            with clock("labels"):
                labels = label_map_points(run, model, run.models.segmenter)
            report |= {"landmarks": dict(landmark_weights(labels, run.config.semantics).counts)}
        registered = {image.name for image in model.images}
        rows = [row for row, name in enumerate(paired.names) if name in registered]
        yield Map(
            model=model,
            features=StoredFeatures(features),
            global_names=tuple(paired.names[row] for row in rows),
            global_descriptors=paired.descriptors[rows],
            retrieval_state=run.models.global_descriptor.state(),
            config=run.config,
            fingerprint=made_from,
            weights=run.models.weights,
            report={**report, "timings_s": clock.seconds, **common},
            landmark_labels=labels,
            landmark_sigmas=None if built.lifted is None else built.lifted.sigmas,
            georeference=run.inputs.georeference,
        )


def assessment_report(
    model: SfmModel, built: BuiltModels, source: ImageSource | None, config: Config
) -> dict[str, Any]:
    """Entry of the report with the assessment of a model from scratch.

    Args:
        model: one of the models.
        built: all of them, and their verified pairs.
        source: photos, for GPS positions in EXIF.
        config: bounds of the assessment.
    """
    # maps with known poses need neither: they take half a second to load
    from hloc_lite.mapping.assessment import assess_map
    from hloc_lite.mapping.gps_check import exif_positions

    names = [image.name for image in model.images]
    positions = {} if source is None else exif_positions(source, names, config.images)
    return {"assessment": assess_map(model, built.pairs.two_views, config, positions).to_json()}


def _common_report(run: Run, built: BuiltModels) -> dict[str, Any]:
    """Entries of the report that all models of a run share."""
    report: dict[str, Any] = {
        "images_folder": _images_folder(run.source),
        "known_poses": run.inputs.reference is not None,
        "metric": run.inputs.metric,
        "versions": software_versions(),
        "pairs_by_matcher": dict(built.pairs.matchers),
    }
    if run.inputs.reference is None:
        report["candidates"] = candidate_records(built.candidates, run.config.features.name)
        report["models"] = [
            _model_record(number, model, run) for number, model in enumerate(built.models)
        ]
    return report


def _model_record(number: int, model: SfmModel, run: Run) -> dict[str, Any]:
    beside = side_map_name(number) if run.keeps_side_maps else None
    return {
        "folder": beside if number else ".",
        "images": len(model.images),
        "points": model.num_points,
        "strength": round(localizing_strength(model, run.config.scratch), 2),
    }


def _in_other_models(built: BuiltModels, number: int, run: Run) -> dict[str, str]:
    """Name -> in which of the other models each image is."""
    found: dict[str, str] = {}
    for other, model in enumerate(built.models):
        if other != number:
            beside = f"{side_map_name(other)} of the map"
            if not run.keeps_side_maps:
                beside = "it is kept if the map has an output folder"
            where = beside if other else "the best model"
            for image in model.images:
                found.setdefault(
                    image.name, f"it is in a separate model of {len(model.images)} images: {where}"
                )
    return found


def _images_folder(source: ImageSource) -> str | None:
    """Folder of the photos, recorded as the map's optional image source."""
    return str(source.root.resolve()) if isinstance(source, FolderSource) else None
