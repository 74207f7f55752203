"""``hloc-lite localize``: outputs, and misuse that is reported before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hloc_lite.cli.localize_text import print_single
from hloc_lite.cli.main import main
from hloc_lite.errors import ConfigError
from hloc_lite.formats.hloc_lists import read_poses, write_poses, write_queries
from hloc_lite.geometry.cameras import with_focal
from hloc_lite.io.results import read_results_jsonl
from hloc_lite.localize.batch import exclusive
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.types import Status
from tests.exact_scene import NoWeights, make_scene, use_scene

QUERIES = {"a/x.png": 3, "b/x.png": 5}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with map/, images/ and queries.txt of the exact scene."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("world")
        scene = make_scene()
        config = use_scene(patch, scene)
        names = {f"map {i}.png": i for i in (0, 1, 2, 4, 6, 8)}
        images = {name: scene.image(index) for name, index in names.items()}
        inputs = MapInputs(reference=scene.reference(names))
        built = build_map(images, config, inputs=inputs, weights=NoWeights(), output=root / "map")
        scene.write_images(root / "images", QUERIES)
        write_queries(root / "queries.txt", dict.fromkeys(QUERIES, scene.camera))
        yield root, scene, built


@pytest.fixture
def run(world, tmp_path: Path, monkeypatch, capsys):
    """(exit code, stdout, stderr) of ``hloc-lite localize MAP ...`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["localize", str(world[0] / "map"), *map(str, arguments)])
            raise SystemExit(0)
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def nothing_is_computed(monkeypatch) -> None:
    def localize(*_: object, **__: object) -> None:
        raise AssertionError("a query was localized")

    monkeypatch.setattr(Localizer, "localize", localize)


def test_a_folder_is_localized(world, run) -> None:
    root, scene, _ = world
    write_poses(Path("gt.txt"), {n: scene.poses[i] for n, i in QUERIES.items()})
    code, out, err = run(
        "--images", root / "images", "--queries", root / "queries.txt", "-o", "poses.txt",
        "--jsonl", "all.jsonl", "--report", "report", "--truth", "gt.txt",
    )  # fmt: skip
    assert code == 0, err
    assert set(read_poses(Path("poses.txt"))) == set(QUERIES)
    assert "2 queries: 2 localized" in out
    assert "within 0.25 map units, 2°" in Path("report/report.html").read_text("utf-8")
    assert not list(Path().glob(".*"))


def test_a_promise_is_printed_and_stored(world, run) -> None:
    folder = ("--images", world[0] / "images", "--queries", world[0] / "queries.txt")
    code, _, err = run(
        *folder, "-o", "p.txt", "--jsonl", "all.jsonl", "--max-wrong", "0.0001",
        "--set", "confidence.cautious_confidence=0.9",
    )  # fmt: skip
    assert code == 0 and "a promise of 0.01 % needs 23025" in err
    for result in read_results_jsonl(Path("all.jsonl")):
        assert result.max_wrong == 0.0001
        assert result.min_confidence >= 0.9  # higher where shipped answers are wrong above it
        assert result.promise in err


def test_set_comes_after_the_options(world, run) -> None:
    root, asked = world[0], ("--max-wrong", "0.2", "--recalibrate")
    folder = (
        "--images",
        root / "images",
        "--queries",
        root / "queries.txt",
        "--jsonl",
        "all.jsonl",
    )
    for settings, expected in ((), 0.2), (("--set", "confidence.max_wrong=0.3"), 0.3):
        code, _, err = run(*folder, "-o", "p.txt", *asked, *settings)
        assert code == 0, err
        found = {result.max_wrong for result in read_results_jsonl(Path("all.jsonl"))}
        assert found == {expected}


@pytest.mark.parametrize("share", ["0", "-0.5", "1.01", "some"])
def test_other_promises_are_refused(world, run, nothing_is_computed, share: str) -> None:
    code, _, err = run(world[0] / "images" / "a/x.png", "--max-wrong", share)
    assert code == 2 and "max-wrong" in err


def test_photos_with_the_same_basename_need_full_names(world, run, nothing_is_computed) -> None:
    photos = [world[0] / "images" / name for name in QUERIES]
    code, _, err = run(*photos, "-o", "poses.txt", "--names", "basename")
    assert code == 2 and "first 'x.png'); use --names full" in err
    assert not Path("poses.txt").exists()


def test_a_photo_whose_name_a_poses_file_cannot_store_is_refused(
    world, run, nothing_is_computed
) -> None:
    Image.fromarray(world[1].image(3)).save("#1.png")
    code, _, err = run("#1.png", "-o", "poses.txt")
    assert code == 2 and "Rename the image" in err


def test_unused_or_contradictory_intrinsics_are_refused(world, run, nothing_is_computed) -> None:
    root, scene, _ = world
    folder = ("--images", root / "images", "-o", "poses.txt")
    code, _, err = run(*folder, "--camera", "SIMPLE_PINHOLE 320 240 300 160 120")
    assert code == 2 and "--queries" in err
    write_queries(Path("other.txt"), {"a/x.png": with_focal(scene.camera, 250.0)})
    code, _, err = run(*folder, "--queries", root / "queries.txt", "--queries", "other.txt")
    assert code == 2 and "the intrinsics of 'a/x.png' differ" in err


def test_a_query_may_be_in_two_lists(world, run) -> None:
    root, scene, _ = world
    write_queries(Path("again.txt"), {"a/x.png": scene.camera})
    lists = ("--queries", root / "queries.txt", "--queries", "again.txt")
    code, out, _ = run("--images", root / "images", "-o", "poses.txt", *lists)
    assert code == 0 and "2 queries: 2 localized" in out


@pytest.mark.parametrize("flag", ["--truth", "--map-images"])
def test_report_inputs_need_a_report(world, run, nothing_is_computed, flag) -> None:
    code, _, err = run("--images", world[0] / "images", "-o", "poses.txt", flag, "x")
    assert code == 2 and "--report" in err


def test_ground_truth_is_checked_before_localizing(world, run, nothing_is_computed) -> None:
    folder = ("--images", world[0] / "images", "-o", "poses.txt", "--report", "report")
    code, _, err = run(*folder, "--truth", "nowhere.txt")
    assert code == 2 and "nowhere.txt does not exist" in err
    write_poses(Path("gt.txt"), {"c/y.png": world[1].poses[0]})
    code, _, err = run(*folder, "--truth", "gt.txt")
    assert code == 2 and "'c/y.png'" in err


def test_outputs_must_be_distinct_files(world, run, nothing_is_computed) -> None:
    Path("folder").mkdir()
    folder = ("--images", world[0] / "images")
    code, _, err = run(*folder, "-o", "folder")
    assert code == 2 and "folder is a folder" in err
    code, _, err = run(*folder, "-o", "poses.txt", "--jsonl", "folder")
    assert code == 2 and "folder is a folder" in err
    code, _, err = run(*folder, "-o", "same.txt", "--jsonl", Path("same.txt").absolute())
    assert code == 2 and "different files" in err


def test_outputs_must_not_overwrite_inputs(world, run, nothing_is_computed) -> None:
    root, scene, _ = world
    kept = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    photo, map_folder = root / "images" / "a" / "x.png", root / "map"
    copy = Path("photo")
    Image.fromarray(scene.image(3)).save(copy, format="png")
    before = copy.read_bytes()
    write_poses(Path("gt.txt"), {"a/x.png": scene.poses[0]})
    Path("c.toml").touch()
    folder = ("--images", root / "images", "--queries", root / "queries.txt")
    for arguments, reason in [
        ((photo, "-o", photo), "named like a photo"),
        ((copy, "-o", "photo"), "photo is an input"),
        ((photo, "-o", map_folder / "map.json"), "lies in the input folder"),
        ((photo, "--jsonl", map_folder / "new" / "all.jsonl"), "lies in the input folder"),
        ((photo, "--report", map_folder), "lies in the input folder"),
        ((photo, "-o", "new.jpg"), "named like a photo"),
        ((photo, "-o", "c.toml", "--config", "c.toml"), "c.toml is an input"),
        ((*folder, "-o", root / "queries.txt"), "queries.txt is an input"),
        ((*folder, "-o", "p.txt", "--report", "r", "--truth", "d=gt.txt", "--jsonl", "gt.txt"),
         "gt.txt is an input"),
        ((*folder, "-o", "r/report.html", "--report", "r"), "different files"),
    ]:  # fmt: skip
        code, _, err = run(*arguments)
        assert code == 2 and reason in err, arguments
    assert {path: path.read_bytes() for path in kept} == kept and copy.read_bytes() == before


def test_unwritable_outputs_are_reported_first_with_the_cause(
    world, run, nothing_is_computed
) -> None:
    Path("file").touch()
    Path("pipe").symlink_to("/dev/null")
    photo = world[0] / "images" / "a" / "x.png"
    for arguments, reason in [
        (("--report", "file"), "file is a file, not a folder"),
        (("--jsonl", "file/x.jsonl"), "file is a file, not a folder"),
        (("-o", "pipe"), "not a regular file"),
        (("--report", "report", "--map-images", "nope"), "nope"),
        *([(("--jsonl", "/proc/x.jsonl"), "/proc/x.jsonl")] if Path("/proc").is_dir() else []),
    ]:
        code, _, err = run(photo, *arguments)
        assert code == 2 and reason in err and "free some space" not in err, arguments
    assert not Path("report").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["MAP", "nothere.jpg"], "photo nothere.jpg does not exist"),
        (["MAP", "."], ". is a folder, expected a photo"),
        (["nomap", "here.jpg"], "map nomap does not exist"),
        (["MAP", "here.jpg", "--config", "none.toml"], "config file none.toml does not exist"),
        (["MAP", "--images", ".", "--queries", "none.txt", "-o", "p.txt"], "none.txt"),
        (["MAP", "--images", ".", "--queries", "list.txt", "-o", "p.txt"], "none of the 1 queries"),
    ],
)
def test_missing_inputs_end_before_networks_are_loaded(
    world, tmp_path, monkeypatch, capsys, arguments, expected
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("networks were loaded")

    monkeypatch.setattr(Localizer, "__init__", load)
    monkeypatch.chdir(tmp_path)
    Path("here.jpg").touch()
    Path("list.txt").write_text("gone.jpg PINHOLE 4 3 2 2 2 1.5\n", encoding="utf-8")
    given = [str(world[0] / "map") if each == "MAP" else each for each in arguments]
    with pytest.raises(SystemExit) as stopped:
        main(["localize", *given])
    out, err = capsys.readouterr()
    assert stopped.value.code == 2 and expected in err and not out


def test_quiet_prints_results_only_and_verbose_times(world, tmp_path, capsys, caplog) -> None:
    photo = world[0] / "images" / next(iter(QUERIES))
    arguments = ["localize", str(world[0] / "map"), str(photo), "--set", "mapping.seed=3"]
    errs, logs = {}, {}
    for flag in ("--quiet", "--verbose"):
        caplog.clear()
        with pytest.raises(SystemExit):
            main([flag, *arguments])
        out, errs[flag] = capsys.readouterr()
        logs[flag] = caplog.text
        assert "localized" in out
    assert errs["--quiet"] == logs["--quiet"] == ""
    assert "ignored: mapping.seed" in errs["--verbose"] and "features: 0." in logs["--verbose"]
    with pytest.raises(SystemExit) as stopped:
        main(["-q", "-v", *arguments])
    assert stopped.value.code == 2


def test_a_file_instead_of_a_folder_is_named(world, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("x.jpg").touch()
    for arguments in (["file", "x.jpg"], [world[0] / "map", "--images", "file", "-o", "p.txt"]):
        with pytest.raises(SystemExit):
            main(["localize", *map(str, arguments)])
        assert "file is a file" in capsys.readouterr().err


def test_the_camera_option_takes_no_name(world, run, nothing_is_computed) -> None:
    for given in ("", "PINHOLE 3", "300 200"):
        code, _, err = run(world[0] / "images" / "a" / "x.png", "--camera", given)
        assert code == 2 and "NAME" not in err and f"got {given!r}" in err


def test_settings_without_effect_are_reported(world, run) -> None:
    photo = world[0] / "images" / "a" / "x.png"
    code, _, err = run(photo, "--set", "mapping.mapper=global", "--set", "pairs.spec=exhaustive")
    assert code == 0
    assert [line for line in err.splitlines() if "ignored" in line] == [
        "ignored: pairs.spec, mapping.mapper (used only to build a map)"
    ]
    assert "ignored" not in run(photo, "--set", "mapping.mapper=incremental")[2]


def test_cue_settings_without_a_source_are_reported(world, run) -> None:
    photo = world[0] / "images" / "a" / "x.png"
    settings = ("--set", "semantics.mode=hard", "--set", "depth.pose_ratio=1.5")
    _, _, err = run(photo, *settings)
    assert "ignored: semantics.mode, depth.pose_ratio (no source" in err
    Path("depths").mkdir()
    _, _, err = run(photo, *settings, "--depth", "depths")
    assert "ignored: semantics.mode (no source" in err


@pytest.mark.parametrize("name", ["#1.png", "line\nbreak.png"])
def test_a_query_with_an_unwritable_name_is_left_out(world, run, name: str) -> None:
    Path("photos").mkdir()
    for each in (name, "good.png"):
        Image.fromarray(world[1].image(3)).save(Path("photos") / each)
    folder = ("--images", "photos", "-o", "poses.txt", "--jsonl", "all.jsonl", "--report", "rep")
    code, out, err = run(*folder)
    assert code == 0, err
    assert "1 unreadable" in out and repr(name) in err
    assert set(read_poses(Path("poses.txt"))) == {"good.png"}
    found = {r.query_name: r.status for r in read_results_jsonl(Path("all.jsonl"))}
    assert found == {name: Status.UNREADABLE, "good.png": Status.LOCALIZED}
    Path("photos/good.png").unlink()
    code, _, err = run(*folder)
    assert code == 2 and "Rename the image" in err


def test_two_runs_cannot_share_a_progress_file(world, run, nothing_is_computed) -> None:
    with exclusive(Path(".poses.txt.progress")):
        code, _, err = run("--images", world[0] / "images", "-o", "poses.txt")
    assert code == 2 and "another process" in err
    assert not list(Path().iterdir())


def test_a_stale_lock_does_not_block_the_next_run(world, run) -> None:
    Path(".poses.txt.progress.lock").touch()  # left by a killed run
    for _ in range(2):
        assert run("--images", world[0] / "images", "-o", "poses.txt")[0] == 0
    assert [path.name for path in Path().iterdir()] == ["poses.txt"]


def test_the_uncertainty_of_a_pose_is_printed(world, capsys) -> None:
    _, scene, built = world
    result = Localizer(built, weights=NoWeights()).localize(scene.image(3), scene.camera)
    assert result.pose is not None
    print_single(replace(result, confidence=0.876))
    shown = capsys.readouterr().out
    assert "# standard deviation: position" in shown and "probability 0.88\n" in shown
    print_single(replace(result, pose=replace(result.pose, covariance=None)))
    assert "# standard deviation: unknown" in capsys.readouterr().out


@pytest.mark.parametrize(("flag", "key"), [("--labels", "semantics"), ("--depth", "depth")])
def test_a_folder_of_label_or_depth_maps_is_a_file_source(
    world, run, monkeypatch, flag, key
) -> None:
    root, _, _ = world
    sources = []

    def refuse(self, sfm_map, config, **_):
        sources.append(getattr(config, key).source)
        raise ConfigError("stop here")

    monkeypatch.setattr(Localizer, "__init__", refuse)
    Path("folder").mkdir()
    photo = root / "images/a/x.png"
    for given in ("folder", "files:folder", "hf:some/model", "none"):
        code, _, errors = run(photo, flag, given)
        assert code == 2, errors
    assert sources == ["files:folder", "files:folder", "hf:some/model", "none"]


@pytest.mark.parametrize("flag", ["--labels", "--depth"])
def test_a_missing_label_or_depth_folder_is_refused(world, run, nothing_is_computed, flag) -> None:
    Path("a.png").touch()
    for given, problem in (("nowhere", "no such folder"), ("a.png", "that is a file")):
        code, _, errors = run(world[0] / "images/a/x.png", flag, given)
        assert code == 2
        assert f"{flag} {given}: " in errors
        assert problem in errors
        assert "hf:MODEL" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--near", "1,2,3"], "X,Y,Z,RADIUS"),
        (["--near", "1,2,3,a"], "X,Y,Z,RADIUS"),
        (["--near", "1,2,3,0"], "radius"),
        (["--gps", "47,8,5"], "hloc-lite georeference"),
        (["--gps", "47,8,5", "--near", "1,2,3,4"], "not both"),
    ],
)
def test_invalid_priors_are_refused(world, run, nothing_is_computed, options, message) -> None:
    root, *_ = world
    code, _, err = run(root / "images" / "a" / "x.png", *options)
    assert code == 2 and message in err


def test_priors_profiles_and_budgets_reach_the_localizer(world, run) -> None:
    root, scene, _ = world
    photo = root / "images" / "a" / "x.png"
    there = ",".join(str(v) for v in [*scene.poses[3].center, 1.0])
    unsure = ("--set", "cascade.accept_above=1", "--set", "cascade.num_initial_images=1")
    code, out, err = run(photo, "--near", there, "--profile", "accurate", "--budget-ms", 0, *unsure)
    assert code == 0, err
    assert "skipped for lack of time (--budget-ms): landmarks of" in out
    code, _, err = run(photo, "--near", "99,0,0,1")
    assert code == 1


def test_a_budget_that_is_nan_or_without_effect_is_reported(world, run) -> None:
    photo = world[0] / "images" / "a" / "x.png"
    code, _, err = run(photo, "--budget-ms", "nan")
    assert code == 2 and "--budget-ms" in err
    _, _, err = run(photo, "--budget-ms", 5, "--set", "localize.matching=images")
    assert "ignored: --budget-ms" in err
