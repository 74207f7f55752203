"""``hloc-lite georeference``, and the GeoPoses of ``hloc-lite localize``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from hloc_lite.cli.main import main
from hloc_lite.geometry.geodesy import Geodetic, geodetic_from_enu
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.folder import GEOREFERENCE
from hloc_lite.maps.georeference import read_georeference
from hloc_lite.maps.map import Map
from tests.exact_scene import NoWeights, make_scene, use_scene

NAMES = {f"{letter}.png": 2 * index for index, letter in enumerate("abcde")}
ENU_FROM_MAP = Similarity3(20.0, exp_so3([0.4, -1.0, 2.0]), np.array([5.0, -7.0, 2.0]))
ORIGIN = Geodetic(48.1, 11.6, 520.0)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folder with photos in ``images`` and a map of them in ``map``."""
    world = make_scene()
    config = use_scene(monkeypatch, world)
    world.write_images(tmp_path / "images", NAMES)
    inputs = MapInputs(reference=world.reference(NAMES))
    options = {"inputs": inputs, "output": tmp_path / "map", "weights": NoWeights()}
    build_map(tmp_path / "images", config, **options)
    return tmp_path


def true_position(index: int) -> Geodetic:
    enu = ENU_FROM_MAP.apply(make_scene().poses[index].center)
    return Geodetic(*geodetic_from_enu(enu, ORIGIN).tolist())


def write_csv(path: Path) -> Path:
    positions = {name: true_position(index) for name, index in NAMES.items()}
    rows = [
        f"{name},{p.latitude_deg!r},{p.longitude_deg!r},{p.height_m!r}"
        for name, p in positions.items()
    ]
    path.write_text("name,latitude,longitude,height\n" + "\n".join(rows))
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def test_csv_positions_lead_to_correct_geoposes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = write_csv(folder / "positions.csv")
    assert run("georeference", folder / "map", "--positions", csv, "--dry-run") == 0
    assert not (folder / "map" / GEOREFERENCE).exists()
    assert "nothing was written" in capsys.readouterr().out
    assert run("georeference", folder / "map", "--positions", csv) == 0
    shown = capsys.readouterr().out
    assert "5 positions of map images, 0 outliers not used" in shown
    assert "scale: 20 m per map unit" in shown

    query, output = folder / "images/c.png", folder / "geoposes.jsonl"
    camera = make_scene().camera
    numbers = " ".join(str(value) for value in camera.params)
    options = ["--camera", f"SIMPLE_RADIAL 320 240 {numbers}", "--geopose", output]
    # at 20 m a unit the pose is not known to 0.25 m
    options += ["--set", "confidence.bounds=relative"]
    assert run("localize", folder / "map", query, *options, "--set",
               "localize.exclude_same_name=false") == 0  # fmt: skip
    (line,) = output.read_text().splitlines()
    found, true = json.loads(line), true_position(NAMES["c.png"])
    assert found["name"] == str(query)
    assert found["position"]["lat"] == pytest.approx(true.latitude_deg, abs=1e-6)
    assert found["position"]["lon"] == pytest.approx(true.longitude_deg, abs=1e-6)
    assert found["position"]["h"] == pytest.approx(true.height_m, abs=0.1)
    forward = (ENU_FROM_MAP.rotation @ make_scene().poses[NAMES["c.png"]].rotation.T)[:, 2]
    x, y, z, w = (found["quaternion"][key] for key in "xyzw")
    ahead = [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)]
    np.testing.assert_allclose(ahead, forward, atol=1e-3)


def test_exif_positions_give_the_scale(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, index in NAMES.items():
        position = true_position(index)
        with Image.open(folder / "images" / name) as image:
            exif = image.getexif()
            exif[ExifTags.Base.Make] = "a camera"  # Pillow does not write an empty EXIF block
            exif.get_ifd(ExifTags.IFD.GPSInfo).update(
                {
                    ExifTags.GPS.GPSLatitudeRef: "N",
                    ExifTags.GPS.GPSLatitude: (position.latitude_deg, 0.0, 0.0),
                    ExifTags.GPS.GPSLongitudeRef: "E",
                    ExifTags.GPS.GPSLongitude: (position.longitude_deg, 0.0, 0.0),
                    ExifTags.GPS.GPSAltitude: position.height_m,
                }
            )
            image.save(folder / "images" / name, exif=exif)
    assert run("georeference", folder / "map", "--exif", folder / "images") == 0
    assert "5 positions" in capsys.readouterr().out
    found = read_georeference(folder / "map")
    assert found is not None
    assert found.metres_per_unit == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --positions FILE.csv or --exif IMAGES"),
        (["--positions", "positions.csv", "--exif", "images"], "either --positions"),
        (["--positions", "none.csv"], "none.csv does not exist"),
        (["--exif", "none"], "image folder none does not exist"),
        (["--exif", "map"], "no image of the map is in map"),
        (["--exif", "images"], "none of 5 photos has a position with height in its EXIF"),
    ],
)
def test_misuse_is_explained_and_writes_nothing(
    folder: Path, monkeypatch, capsys, arguments, message
) -> None:
    monkeypatch.chdir(folder)
    write_csv(folder / "positions.csv")
    assert run("georeference", "map", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "map" / GEOREFERENCE).exists()


def test_geopose_output_needs_a_georeference(folder: Path, capsys) -> None:
    query = folder / "images/c.png"
    assert run("localize", folder / "map", query, "--geopose", folder / "out.jsonl") == 2
    assert "run `hloc-lite georeference" in capsys.readouterr().err


def test_saving_a_map_keeps_the_georeference_of_its_poses(folder: Path, caplog) -> None:
    run("georeference", folder / "map", "--positions", write_csv(folder / "positions.csv"))
    before = read_georeference(folder / "map").geodetic_from_map([1, 2, 3])
    sfm_map = Map.open(folder / "map")
    sfm_map.save(folder / "map")
    np.testing.assert_allclose(
        read_georeference(folder / "map").geodetic_from_map([1, 2, 3]), before, rtol=1e-12
    )
    sfm_map.save(folder / "copy")
    assert Map.open(folder / "copy").metres_per_unit == Map.open(folder / "map").metres_per_unit
    _, *others = sfm_map.model.images
    fewer = {**vars(sfm_map.model), "images": tuple(others)}
    changed = Map(**{**vars(sfm_map), "model": type(sfm_map.model)(**_public(fewer))})
    changed = replace(changed, georeference=None)
    changed.save(folder / "map")
    assert read_georeference(folder / "map") is None
    assert "belonged to the map's old poses" in caplog.text


def _public(values: dict) -> dict:
    return {name: value for name, value in values.items() if not name.startswith("_")}
