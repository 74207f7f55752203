"""``hloc-lite localize``: mistakes are told before anything is computed, not after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hloc_lite.cli.localize_output import print_single
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
    assert "within 0.25 m, 2°" in Path("report/report.html").read_text("utf-8")
    assert not list(Path().glob(".*"))


def test_photos_of_one_short_name_are_refused(world, run, nothing_is_computed) -> None:
    photos = [world[0] / "images" / name for name in QUERIES]
    code, _, err = run(*photos, "-o", "poses.txt", "--names", "basename")
    assert code == 2 and "'x.png'; use --names full" in err
    assert not Path("poses.txt").exists()


def test_photos_whose_names_a_poses_file_cannot_hold_are_refused(
    world, run, nothing_is_computed
) -> None:
    Image.fromarray(world[1].image(3)).save("#1.png")
    code, _, err = run("#1.png", "-o", "poses.txt")
    assert code == 2 and "Rename the image" in err


def test_intrinsics_that_would_be_ignored_are_refused(world, run, nothing_is_computed) -> None:
    root, scene, _ = world
    folder = ("--images", root / "images", "-o", "poses.txt")
    code, _, err = run(*folder, "--camera", "SIMPLE_PINHOLE 320 240 300 160 120")
    assert code == 2 and "--queries" in err
    write_queries(Path("other.txt"), {"a/x.png": with_focal(scene.camera, 250.0)})
    code, _, err = run(*folder, "--queries", root / "queries.txt", "--queries", "other.txt")
    assert code == 2 and "'a/x.png' has other intrinsics" in err


def test_a_query_may_be_in_two_lists(world, run) -> None:
    root, scene, _ = world
    write_queries(Path("again.txt"), {"a/x.png": scene.camera})
    lists = ("--queries", root / "queries.txt", "--queries", "again.txt")
    code, out, _ = run("--images", root / "images", "-o", "poses.txt", *lists)
    assert code == 0 and "2 queries: 2 localized" in out


@pytest.mark.parametrize("flag", ["--truth", "--map-images"])
def test_what_only_a_report_shows_needs_one(world, run, nothing_is_computed, flag) -> None:
    code, _, err = run("--images", world[0] / "images", "-o", "poses.txt", flag, "x")
    assert code == 2 and "--report" in err


def test_true_poses_are_read_first(world, run, nothing_is_computed) -> None:
    folder = ("--images", world[0] / "images", "-o", "poses.txt", "--report", "report")
    code, _, err = run(*folder, "--truth", "nowhere.txt")
    assert code == 2 and "nowhere.txt does not exist" in err
    write_poses(Path("gt.txt"), {"c/y.png": world[1].poses[0]})
    code, _, err = run(*folder, "--truth", "gt.txt")
    assert code == 2 and "'c/y.png'" in err


def test_outputs_must_be_files_of_their_own(world, run, nothing_is_computed) -> None:
    Path("folder").mkdir()
    folder = ("--images", world[0] / "images")
    code, _, err = run(*folder, "-o", "folder")
    assert code == 2 and "folder is a folder" in err
    code, _, err = run(*folder, "-o", "poses.txt", "--jsonl", "folder")
    assert code == 2 and "folder is a folder" in err
    code, _, err = run(*folder, "-o", "same.txt", "--jsonl", Path("same.txt").absolute())
    assert code == 2 and "different files" in err


def test_outputs_must_not_be_what_is_read(world, run, nothing_is_computed) -> None:
    root, scene, _ = world
    kept = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    photo, place = root / "images" / "a" / "x.png", root / "map"
    copy = Path("photo")
    Image.fromarray(scene.image(3)).save(copy, format="png")
    before = copy.read_bytes()
    write_poses(Path("gt.txt"), {"a/x.png": scene.poses[0]})
    Path("c.toml").touch()
    folder = ("--images", root / "images", "--queries", root / "queries.txt")
    for arguments, reason in [
        ((photo, "-o", photo), "named like a photo"),
        ((copy, "-o", "photo"), "photo is an input"),
        ((photo, "-o", place / "map.json"), "lies in the input folder"),
        ((photo, "--jsonl", place / "new" / "all.jsonl"), "lies in the input folder"),
        ((photo, "--report", place), "lies in the input folder"),
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


def test_what_cannot_be_written_is_told_first_with_its_cause(
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


def test_files_in_place_of_folders_are_called_so(world, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for arguments in (["file", "x.jpg"], [world[0] / "map", "--images", "file", "-o", "p.txt"]):
        with pytest.raises(SystemExit):
            main(["localize", *map(str, arguments)])
        assert "file is a file" in capsys.readouterr().err


def test_intrinsics_of_photos_are_asked_for_without_a_name(world, run, nothing_is_computed) -> None:
    for given in ("", "PINHOLE 3", "300 200"):
        code, _, err = run(world[0] / "images" / "a" / "x.png", "--camera", given)
        assert code == 2 and "NAME" not in err and f"got {given!r}" in err


def test_settings_without_effect_are_told(world, run) -> None:
    photo = world[0] / "images" / "a" / "x.png"
    code, _, err = run(photo, "--set", "mapping.mapper=global", "--set", "pairs.spec=exhaustive")
    assert code == 0
    assert [line for line in err.splitlines() if "without effect" in line] == [
        "without effect on queries, only on building a map: pairs.spec, mapping.mapper"
    ]
    assert "without effect" not in run(photo, "--set", "mapping.mapper=incremental")[2]


def test_settings_of_evidence_that_nobody_is_asked_for_are_told(world, run) -> None:
    photo = world[0] / "images" / "a" / "x.png"
    settings = ("--set", "semantics.mode=hard", "--set", "depth.pose_ratio=1.5")
    _, _, err = run(photo, *settings)
    assert "(--labels, --depth): semantics.mode, depth.pose_ratio\n" in err
    Path("depths").mkdir()
    _, _, err = run(photo, *settings, "--depth", "depths")
    assert "(--labels, --depth): semantics.mode\n" in err


@pytest.mark.parametrize("name", ["#1.png", "line\nbreak.png"])
def test_a_name_that_no_list_can_hold_is_left_out_and_the_others_go_on(
    world, run, name: str
) -> None:
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


def test_two_runs_do_not_share_a_progress_file(world, run, nothing_is_computed) -> None:
    with exclusive(Path(".poses.txt.progress")):
        code, _, err = run("--images", world[0] / "images", "-o", "poses.txt")
    assert code == 2 and "another process" in err
    assert not list(Path().iterdir())


def test_a_run_keeps_no_lock_for_the_next(world, run) -> None:
    Path(".poses.txt.progress.lock").touch()  # of a run that was killed
    for _ in range(2):
        assert run("--images", world[0] / "images", "-o", "poses.txt")[0] == 0
    assert [path.name for path in Path().iterdir()] == ["poses.txt"]


def test_a_pose_that_is_not_determined_is_said_to_be(world, capsys) -> None:
    _, scene, built = world
    result = Localizer(built, weights=NoWeights()).localize(scene.image(3), scene.camera)
    assert result.pose is not None
    print_single(replace(result, confidence=0.876))
    shown = capsys.readouterr().out
    assert "# one sigma: position" in shown and "probability 0.88\n" in shown
    print_single(replace(result, pose=replace(result.pose, covariance=None)))
    assert "# one sigma: unknown" in capsys.readouterr().out


@pytest.mark.parametrize(("flag", "key"), [("--labels", "semantics"), ("--depth", "depth")])
def test_a_folder_of_evidence_is_a_source_of_files(world, run, monkeypatch, flag, key) -> None:
    root, _, _ = world
    asked = []

    def refuse(self, place, config, **_):
        asked.append(getattr(config, key).source)
        raise ConfigError("seen enough")

    monkeypatch.setattr(Localizer, "__init__", refuse)
    Path("folder").mkdir()
    photo = root / "images/a/x.png"
    for given in ("folder", "files:folder", "hf:some/model", "none"):
        code, _, errors = run(photo, flag, given)
        assert code == 2, errors
    assert asked == ["files:folder", "files:folder", "hf:some/model", "none"]


@pytest.mark.parametrize("flag", ["--labels", "--depth"])
def test_evidence_from_nowhere_is_refused(world, run, nothing_is_computed, flag) -> None:
    Path("a.png").touch()
    for given, why in (("nowhere", "no such folder"), ("a.png", "that is a file")):
        code, _, errors = run(world[0] / "images/a/x.png", flag, given)
        assert code == 2
        assert f"{flag} {given}: " in errors
        assert why in errors
        assert "hf:MODEL" in errors


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--near", "1,2,3"], "X,Y,Z,RADIUS"),
        (["--near", "1,2,3,a"], "X,Y,Z,RADIUS"),
        (["--near", "1,2,3,0"], "radius"),
        (["--gps", "47,8,5"], "hloc-lite georeference"),
        (["--gps", "47,8,5", "--near", "1,2,3,4"], "not both"),
    ],
)
def test_what_is_known_beforehand_must_make_sense(
    world, run, nothing_is_computed, options, says
) -> None:
    root, *_ = world
    code, _, err = run(root / "images" / "a" / "x.png", *options)
    assert code == 2 and says in err


def test_priors_profiles_and_budgets_reach_the_localizer(world, run) -> None:
    root, scene, _ = world
    photo = root / "images" / "a" / "x.png"
    there = ",".join(str(v) for v in [*scene.poses[3].center, 1.0])
    unsure = ("--set", "cascade.accept_above=1", "--set", "cascade.num_initial_images=1")
    code, out, err = run(photo, "--near", there, "--profile", "accurate", "--budget-ms", 0, *unsure)
    assert code == 0, err
    assert "not done within the time allowed: landmarks of" in out
    code, _, err = run(photo, "--near", "99,0,0,1")
    assert code == 1


def test_a_budget_that_cannot_count_is_told(world, run) -> None:
    photo = world[0] / "images" / "a" / "x.png"
    code, _, err = run(photo, "--budget-ms", "nan")
    assert code == 2 and "--budget-ms" in err
    _, _, err = run(photo, "--budget-ms", 5, "--set", "localize.matching=images")
    assert "without effect: --budget-ms" in err
