"""Names of models: built in, registered, or added by installed packages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from hloc_lite import registry
from hloc_lite.cli.main import main
from hloc_lite.config import FeaturesConfig, MatchingConfig, load_config
from hloc_lite.entries import Entry, EstimatorEntry, FeatureEntry, MatcherEntry
from hloc_lite.errors import ConfigError, PluginError, UnknownNameError
from hloc_lite.registry import FEATURES, MATCHERS, TABLES, Runtime, create, register
from hloc_lite.types import Photo
from tests.weights_stores import NoWeights

MODULE = '''
import numpy as np
from hloc_lite.entries import FeatureEntry
from hloc_lite.types import LocalFeatures

class GridExtractor:
    """Mean colors on a grid of 4 x 4 points."""
    descriptor_dim = 3

    def __init__(self, name, config, runtime):
        self.count = config.max_keypoints

    def extract(self, photos):
        return [self.describe(photo) for photo in photos]

    def describe(self, photo):
        cells = (np.arange(4) + 0.5) / 4
        x, y = np.meshgrid(cells * photo.width, cells * photo.height)
        keypoints = np.stack([x.ravel(), y.ravel()], axis=1)[: self.count]
        rows = photo.pixels[keypoints[:, 1].astype(int), keypoints[:, 0].astype(int)] + 1.0
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return LocalFeatures(keypoints, rows, np.ones(len(rows)), (photo.width, photo.height))

GRID = FeatureEntry(GridExtractor, defaults={"matching": {"max_ratio": 0.7}})
'''


def install(folder: Path, name: str, groups: dict[str, dict[str, str]]) -> None:
    """Write what pip leaves of an installed package, so far as entry points are concerned."""
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on sys.path, for packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("grid_features", None)


@pytest.fixture
def grid_features(site: Path) -> None:
    (site / "grid_features.py").write_text(MODULE)
    points = {"grid": "grid_features:GRID", "grid-plain": "grid_features:GridExtractor"}
    install(site, "grid-features", {"hloc_lite.features": points})


def test_a_runtime_of_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="'garbage' cannot be used here: expected cpu, cuda"):
        Runtime(NoWeights(), "garbage")


@pytest.mark.parametrize("role", TABLES)
def test_groups_of_entry_points_are_named_as_the_roles(role: str) -> None:
    assert TABLES[role].group == f"hloc_lite.{role}"


def test_matchers_know_their_features() -> None:
    assert registry.is_learned("lightglue-disk") and not registry.is_learned("mutual-nn")
    assert MATCHERS["mutual-nn"].matches("anything")
    assert not MATCHERS["lightglue-disk"].matches("xfeat")


def test_rig_estimators_are_those_that_have_one() -> None:
    assert registry.rig_estimator_names() == ["weighted", "poselib", "pycolmap"]
    with pytest.raises(ConfigError, match="'opencv' has no rig estimator; choose one of weighted"):
        registry.create_rig_estimator("opencv", None, Runtime(NoWeights()))


@pytest.mark.usefixtures("grid_features")
def test_a_feature_of_an_installed_package_is_known_by_its_name() -> None:
    assert "grid_features" not in sys.modules
    assert "grid" in FEATURES and [*FEATURES][-2:] == ["grid", "grid-plain"]
    assert "grid_features" not in sys.modules  # listing names imports nothing
    extractor = create(FEATURES, "grid", FeaturesConfig(max_keypoints=16), Runtime(NoWeights()))
    photo = Photo("a", np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3))
    (found,) = extractor.extract([photo])
    assert len(found) == 16 and found.image_size == (12, 8)
    assert load_config(settings=["features.name=grid"]).matching.max_ratio == 0.7
    assert FEATURES["grid-plain"] == FeatureEntry(sys.modules["grid_features"].GridExtractor)
    registry.check_matcher_fits("mutual-nn", "grid")
    with pytest.raises(ConfigError, match="was trained for disk, not for 'grid'"):
        registry.check_matcher_fits("lightglue-disk", "grid")


@pytest.mark.usefixtures("grid_features")
def test_the_command_line_lists_features_of_installed_packages(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["map", "--help"])
    assert "grid-plain" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["doctor", "--json", "--offline"])
    findings = {each["name"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["feature grid"]["value"] == "from grid-features 1.2"
    assert findings["feature grid"]["ok"]


def test_built_in_names_cannot_be_taken(site: Path, capsys) -> None:
    install(site, "better-disk", {"hloc_lite.features": {"disk": "nowhere:Disk"}})
    assert FEATURES["disk"].factory == "hloc_lite.features.disk:DiskExtractor"
    clash = "better-disk 1.2 adds the feature 'disk', which hloc_lite has already"
    for ask in (lambda: list(FEATURES), lambda: "other" in FEATURES):
        with pytest.raises(PluginError, match=clash):
            ask()
    with pytest.raises(SystemExit) as stop:
        main(["map", "--help"])
    assert stop.value.code == 0 and "xfeat" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["doctor", "--offline"])
    assert clash in capsys.readouterr().out


def test_two_packages_with_one_name_are_both_told(site: Path) -> None:
    for name in ("first", "second"):
        install(site / name, name, {"hloc_lite.matchers": {"mine": f"{name}:Matcher"}})
        sys.path.insert(0, str(site / name))
    try:
        with pytest.raises(PluginError, match=r"(first|second) 1.2 adds .* (first|second) 1.2 has"):
            MATCHERS["mine"]
    finally:
        del sys.path[:2]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere:Thing", r"'broken' of the package bad 1\.2 cannot be loaded: ModuleNotFound"),
        ("grid_features:Missing", "cannot be loaded: AttributeError"),
        ("grid_features:np.pi", "expected a FeatureEntry or a class, got 3.14"),
    ],
)
def test_what_cannot_be_loaded_names_its_package(site: Path, target: str, message: str) -> None:
    (site / "grid_features.py").write_text(MODULE)
    install(site, "bad", {"hloc_lite.features": {"broken": target}})
    with pytest.raises(PluginError, match=message):
        create(FEATURES, "broken", FeaturesConfig(), Runtime(NoWeights()))


def test_names_are_registered_for_a_while() -> None:
    class Own:
        def __init__(self, *given: object) -> None:
            self.given = given

    config, runtime = MatchingConfig(), Runtime(NoWeights())
    with register("matchers", "own", MatcherEntry(Own, features=("disk",))):
        assert create(MATCHERS, "own", config, runtime).given == ("own", config, runtime)
        with pytest.raises(ConfigError, match="matcher 'own' exists already"):
            register("matchers", "own", Own)
    assert "own" not in MATCHERS
    undo = register("features", "own", Own)
    assert FEATURES["own"] == FeatureEntry(Own)
    undo.close()
    assert "own" not in FEATURES


def test_unknown_roles_and_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'features'"):
        register("feature", "own", Entry("a:b"))
    with pytest.raises(ConfigError, match="feature 'disk' exists already"):
        register("features", "disk", Entry("a:b"))
    with pytest.raises(PluginError, match="expected a FeatureEntry or a class"):
        register("features", "own", EstimatorEntry("a:b"))
    with pytest.raises(UnknownNameError, match="Did you mean 'rootsift'"):
        create(FEATURES, "rootsif", FeaturesConfig(), Runtime(NoWeights()))


@pytest.mark.parametrize(
    "name",
    ["FeatureExtractor", "DepthJudge", "DEFAULT_MATCHER", "RIG_ESTIMATORS", "check_matcher"],
)
def test_old_names_warn(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"registry\.{name} is renamed to .*0\.4"):
        assert getattr(registry, name)
    with pytest.raises(AttributeError, match="has no attribute 'NOTHING'"):
        _ = registry.NOTHING
