"""hloc's script on ten real photos, against this package's own pipeline on the same matches.

Needs the folder of cases in HLOC_LITE_CASES, with ``sacre_coeur/images``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hloc_lite import Localizer, Map, build_map, load_config
from hloc_lite.compat.hloc import (
    extract_features,
    localize_sfm,
    match_features,
    pairs_from_exhaustive,
    reconstruction,
)
from hloc_lite.config import PoseConfig
from hloc_lite.entries import Entry, FeatureEntry, MatcherEntry
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.local_features import to_local_features
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.formats.hloc_lists import read_poses, write_queries
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.mapping.run import MapInputs
from hloc_lite.registry import register
from hloc_lite.types import Camera, Float32, LocalFeatures, Matches, Photo
from tests.weights_stores import NoWeights

CASES = os.environ.get("HLOC_LITE_CASES", "")
IMAGES = Path(CASES) / "sacre_coeur" / "images"
pytestmark = [
    pytest.mark.weights,
    pytest.mark.slow,
    pytest.mark.skipif(not CASES or not IMAGES.is_dir(), reason="HLOC_LITE_CASES is not set"),
]
FEATURES: dict[str, Any] = {
    **extract_features.confs["aliked-n16"],
    "model": {"name": "aliked", "model_name": "aliked-n16", "max_num_keypoints": 512},
    "preprocessing": {"resize_max": 640},
}
MATCHES = match_features.confs["aliked+lightglue"]
SAME_SHARE = 1e-3
"""Largest distance of the same camera in both pipelines, as a share of the spread of cameras."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of all photos and matches of all pairs."""
    folder = tmp_path_factory.mktemp("outputs")
    extract_features.main(FEATURES, IMAGES, folder, as_half=False)
    pairs_from_exhaustive.main(folder / "pairs-all.txt", features=folder / "feats-aliked-n16.h5")
    path = match_features.main(MATCHES, folder / "pairs-all.txt", "feats-aliked-n16", folder)
    assert path.name == "feats-aliked-n16_matches-aliked-lightglue_pairs-all.h5"
    return folder


@contextmanager
def given_networks(outputs: Path) -> Iterator[None]:
    """Networks ``given``, which return the features and matches of hloc's files."""
    features_file = FeaturesFile(outputs / "feats-aliked-n16.h5")
    features = {n: to_local_features(f, n) for n, f in features_file.items()}
    name_of = {each.keypoints.tobytes(): name for name, each in features.items()}
    file = outputs / "feats-aliked-n16_matches-aliked-lightglue_pairs-all.h5"
    matches_file = MatchesFile(file, list(features))

    class Extractor:
        descriptor_dim = 128

        def __init__(self, name: str, config: Any, runtime: Any) -> None:
            pass

        def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
            return [features[photo.name] for photo in photos]

    class Matcher:
        def __init__(self, name: str, config: Any, runtime: Any) -> None:
            pass

        def match(self, pairs: Sequence[tuple[LocalFeatures, LocalFeatures]]) -> list[Matches]:
            names = [[name_of[side.keypoints.tobytes()] for side in pair] for pair in pairs]
            return [matches_file.read(a, b) or Matches.empty() for a, b in names]

    class Descriptor:
        def __init__(self, name: str, config: Any, runtime: Any) -> None:
            pass

        def fit(self, photos: Sequence[Photo]) -> None:
            pass

        def state(self) -> dict[str, Any]:
            return {}

        def load_state(self, state: Mapping[str, Any]) -> None:
            pass

        def describe(self, photos: Sequence[Photo]) -> Float32:
            return np.ones((len(photos), 1), np.float32)

    with (
        register("features", "given", FeatureEntry(Extractor)),
        register("matchers", "given", MatcherEntry(Matcher, is_learned=True)),
        register("global_descriptors", "given", Entry(Descriptor)),
    ):
        yield
    features_file.close()
    matches_file.close()


def own_map(names: Sequence[str]) -> Map:
    """Map of this package's pipeline on the given features and matches."""
    config = load_config(
        overrides={
            "images": {"exif_rotation": False},
            "features": {"name": "given"},
            "burned_in": {"enabled": False},
            "matching": {"name": "given", "two_pass": False},
            "retrieval": {"name": "given"},
            "mapping": {"threads": 1},
            "weighting": {"off": ["score", "retrieval", "view_semantics", "track"]},
            "localize": {
                "matching": "images",
                "covisibility_clustering": False,
                "only_landmarks": False,
            },
        }
    )
    return build_map(IMAGES, config, inputs=MapInputs(names=names), weights=NoWeights())


def test_nine_photos_map_the_tenth(outputs: Path) -> None:
    names = sorted(path.name for path in IMAGES.glob("*.jpg"))
    full = reconstruction.main(
        outputs / "sfm-all", IMAGES, outputs / "pairs-all.txt",
        outputs / "feats-aliked-n16.h5",
        outputs / "feats-aliked-n16_matches-aliked-lightglue_pairs-all.h5",
    )  # fmt: skip
    assert full.num_reg_images() == len(names)
    model = read_model(outputs / "sfm-all")
    cameras = {image.name: model.cameras[image.camera_id] for image in model.images}
    shares = {}
    with given_networks(outputs):
        for query in names:
            shares[query] = compare(outputs, query, names, cameras[query])
    for query, (of_map, of_query) in shares.items():
        assert of_map < SAME_SHARE, query
        assert of_query < SAME_SHARE, query


def compare(outputs: Path, query: str, names: Sequence[str], camera: Camera) -> tuple[float, float]:
    """Largest difference of map cameras, and that of the query, as shares of the spread."""
    mapped = [name for name in names if name != query]
    sfm, pairs = outputs / f"sfm-without-{query}", outputs / "pairs-query.txt"
    files = (
        outputs / "feats-aliked-n16.h5",
        outputs / "feats-aliked-n16_matches-aliked-lightglue_pairs-all.h5",
    )
    reconstruction.main(
        sfm, IMAGES, outputs / "pairs-all.txt", *files,
        image_list=mapped, mapper_options={"num_threads": 1},
    )  # fmt: skip
    for name in ("cameras.bin", "images.bin", "points3D.bin", "database.db"):
        assert (sfm / name).is_file()
    pairs_from_exhaustive.main(pairs, image_list=[query], ref_list=mapped)
    write_queries(outputs / "queries.txt", {query: camera})
    results = outputs / "results.txt"
    bound = PoseConfig().max_error_px * max(camera.width, camera.height) / 1600
    localize_sfm.main(sfm, outputs / "queries.txt", pairs, *files, results, bound)
    assert Path(f"{results}_logs.pkl").is_file()
    theirs, ours = read_model(sfm), own_map(mapped)
    centers = [
        np.array([image.cam_from_world.center for image in model.images])
        for model in (theirs, ours.model)
    ]
    assert [i.name for i in theirs.images] == [i.name for i in ours.model.images]
    similarity = fit_similarity(*centers)
    assert similarity is not None
    spread = float(np.linalg.norm(centers[1] - centers[1].mean(axis=0), axis=1).mean())
    of_map = np.linalg.norm(similarity.apply(centers[0]) - centers[1], axis=1).max() / spread
    result = Localizer(ours, weights=NoWeights()).localize(IMAGES / query, camera, name=query)
    assert result.pose is not None, result.reason
    found = similarity.apply(read_poses(results)[query].center)
    of_query = np.linalg.norm(found - result.pose.cam_from_world.center) / spread
    return float(of_map), float(of_query)
