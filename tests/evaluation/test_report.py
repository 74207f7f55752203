"""The page holds the numbers, is whole in itself, and lives with whatever is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.errors import BootstrapConfig
from hloc_lite.evaluation.match_picture import best_map_image, draw_matches
from hloc_lite.evaluation.records import QueryRecord
from hloc_lite.evaluation.report import (
    ReportInput,
    render_report,
    report_input_of_results,
    write_report,
)
from hloc_lite.evaluation.thresholds import Threshold, percent_of
from hloc_lite.types import LocalizationResult, Photo, Rigid3

from .scenes import failed_result, grey_photo, level_camera, moved, result_of, ring_model

MODEL = ring_model()
NAMES = [f"query/<day> & ü {i}.jpg" for i in range(12)]
TRUE = {
    name: level_camera((7 * np.cos(i), 7 * np.sin(i), 1.5), i + np.pi, 0.0)
    for i, name in enumerate(NAMES)
}
RESULTS = [
    result_of(name, MODEL, TRUE[name], moved(TRUE[name], 0.01 * 2**i, 0.1))
    for i, name in enumerate(NAMES[:10])
] + [failed_result(name) for name in NAMES[10:]]
BOOTSTRAP = BootstrapConfig(num_resamples=100)


class Page(HTMLParser):
    """Collects visible text and addresses; fails on tags that do not close."""

    VOID = ("meta", "input", "img", "br", "hr", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [
            values[key] or "" for key in ("src", "href", "xlink:href") if key in values
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(filter(None, self.texts))


def full_input(**changes: object) -> ReportInput:
    chosen = {
        "title": "Town <1> & more",
        "conditions": {"day": TRUE},
        "bootstrap": BOOTSTRAP,
        "model": MODEL,
        "load_query_photo": grey_photo,
        "load_map_photo": grey_photo,
        "config": {"pose": {"max_error_px": 12.0}},
        "versions": {"hloc_lite": "0.1.0"},
        **changes,
    }
    return report_input_of_results(RESULTS, **chosen)


@pytest.fixture(scope="module")
def full_html() -> str:
    return render_report(full_input())


@pytest.fixture(scope="module")
def full_page(full_html: str) -> Page:
    return Page(full_html)


def test_the_page_refers_to_nothing_outside(full_page: Page, full_html: str) -> None:
    assert full_page.addresses
    assert all(a.startswith(("data:", "#")) for a in full_page.addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/)", full_html)


def test_the_numbers_are_those_of_the_scores(full_page: Page) -> None:
    text = full_page.text
    # errors 0.01 * 2^i: five are within 0.25 m, six within 0.5 m, nine within 5 m, of twelve
    assert "within 0.25 m, 2° 41.7 %" in text
    assert "within 0.5 m, 5° 50.0 %" in text
    assert "within 5 m, 10° 75.0 %" in text
    assert "10 of 12 queries" in text
    assert "median position 0.48 m" in text  # of (0.32, 0.64)
    assert "median rotation 0.1°" in text
    assert "median time 120 ms" in text


def test_failures_are_listed_with_reasons(full_page: Page) -> None:
    assert "too few matches : 2 of 12" in full_page.text
    assert f"{NAMES[10]} – only 3 matches" in full_page.text


def test_best_middle_worst_and_failed_queries_are_shown(full_html: str) -> None:
    cards = re.findall(r'class="kind">(\w+)</span><b>([^<]*)</b>', full_html)
    shown = [(kind, int(name.split()[-1].removesuffix(".jpg"))) for kind, name in cards]
    assert shown[:2] == [("best", 0), ("best", 1)]
    assert shown[2:4] == [("middle", 4), ("middle", 5)]
    assert shown[4:6] == [("worst", 9), ("worst", 8)]
    assert shown[6:] == [("failed", 10), ("failed", 11)]


def test_stages_settings_and_versions_are_there(full_page: Page) -> None:
    text = full_page.text
    assert "features 12 100 ms 100 ms" in text
    assert "pose.max_error_px 12.0" in text
    assert "hloc_lite 0.1.0" in text
    assert "Town <1> & more" in text  # escaped in the source, whole on the page


def test_without_truth_there_are_no_errors_but_everything_else() -> None:
    page = Page(render_report(full_input(conditions=None)))
    assert "within" not in page.text
    assert "Accuracy" not in page.text
    assert "median inliers 40" in page.text
    assert "Plan view" in page.text
    assert "most inliers" in page.text


def test_with_poses_only() -> None:
    records = [QueryRecord(n, "localized", "", TRUE[n]) for n in NAMES[:3]]
    page = Page(render_report(ReportInput("poses only", records)))
    assert "3 of 3 queries" in page.text
    assert "None: every query has a pose." in page.text
    assert "Matches" not in page.text


def test_without_any_query_and_without_any_pose() -> None:
    assert "localized none 0 of 0" in Page(render_report(ReportInput("empty", []))).text
    failures = [failed_result(name) for name in NAMES]
    given = report_input_of_results(
        failures, title="t", conditions={"day": TRUE}, bootstrap=BOOTSTRAP
    )
    page = Page(render_report(given))
    assert "median position no pose" in page.text
    assert "localized 0.0 %" in page.text


def test_true_queries_that_were_never_tried_are_failures() -> None:
    given = report_input_of_results(
        RESULTS[:9], title="t", conditions={"day": TRUE}, bootstrap=BOOTSTRAP
    )
    page = Page(render_report(given))
    assert "missing : 3 of 12" in page.text
    assert "9 of 12 queries" in page.text


def test_names_may_be_basenames_and_are_said_to_be() -> None:
    short = [replace(r, query_name=r.query_name.removeprefix("query/")) for r in RESULTS]
    asked = []

    def load(name: str) -> Photo:
        asked.append(name)
        return grey_photo(name)

    given = report_input_of_results(
        short,
        title="t",
        conditions={"day": TRUE},
        bootstrap=BOOTSTRAP,
        model=MODEL,
        load_query_photo=load,
        load_map_photo=grey_photo,
    )
    page = Page(render_report(given))
    assert "names matched by their basename" in page.text
    assert "within 0.5 m, 5° 50.0 %" in page.text
    assert "missing" not in page.text
    assert asked[0] == NAMES[0].removeprefix("query/")  # photos are asked for by their own name


def test_several_conditions_have_a_row_each_and_a_curve() -> None:
    conditions = {
        "day": {n: TRUE[n] for n in NAMES[:6]},
        "night": {n: TRUE[n] for n in NAMES[6:]},
    }
    html = render_report(full_input(conditions=conditions))
    page = Page(html)
    assert re.search(r"day 6 6 83\.3", page.text)
    assert re.search(r"night 6 4 0\.0", page.text)
    assert re.search(r"all 12 10 41\.7", page.text)


@pytest.mark.parametrize("name", ["x$a^^$y", "$$", "<b> & \\frac"])
def test_conditions_may_have_any_name(name: str) -> None:
    conditions = {name: {n: TRUE[n] for n in NAMES[:6]}, "b": {n: TRUE[n] for n in NAMES[6:]}}
    page = Page(render_report(full_input(conditions=conditions)))
    assert page.texts.count(name) >= 3  # the table's row and both curves


def test_thresholds_may_have_labels_of_ones_own() -> None:
    page = Page(render_report(full_input(thresholds=[Threshold(0.25, 2.0, "strict")])))
    assert "within strict 41.7 %" in page.text


def test_distances_in_percent_of_a_length() -> None:
    page = Page(render_report(full_input(unit=percent_of(10.0))))
    assert "median position 4.8 %" in page.text


def test_photos_that_cannot_be_read_are_left_out() -> None:
    failures = [failed_result(name) for name in NAMES]
    given = report_input_of_results(failures, title="t", load_query_photo=lambda _: None)
    assert "Matches" not in Page(render_report(given)).text
    given = report_input_of_results(
        RESULTS[:1], title="t", model=MODEL, load_query_photo=grey_photo
    )
    assert "Matches" in Page(render_report(given)).text


def test_results_that_kept_no_correspondences_still_make_a_report() -> None:
    bare = [replace(result, correspondences=None) for result in RESULTS]
    given = report_input_of_results(
        bare, title="t", conditions={"day": TRUE}, model=MODEL, load_query_photo=grey_photo
    )
    assert "within 0.5 m, 5° 50.0 %" in Page(render_report(given)).text


def test_the_map_image_with_most_inliers_is_shown() -> None:
    result = RESULTS[0]
    best = best_map_image(result, MODEL)
    assert best is not None
    inliers = set(range(40))
    common = {
        name: len(inliers & set(MODEL.image_named(name).point3D_idxs.tolist()))  # type: ignore[union-attr]
        for name in result.hits.names
    }
    assert len(best.rows) == max(common.values()) == common[best.name]
    assert result.correspondences is not None
    image = MODEL.image_named(best.name)
    assert image is not None and image.keypoints is not None
    place = {point: xy for point, xy in zip(image.point3D_idxs, image.keypoints, strict=True)}
    shown = result.correspondences.point3D_idxs[best.rows]
    np.testing.assert_array_equal(best.keypoints, [place[point] for point in shown])
    picture = draw_matches(result, grey_photo("q"), (best, grey_photo("m")))
    assert (picture.width, picture.height) == (320 + 8 + 320, 240)
    assert picture.num_lines == len(best.rows)


def test_a_query_without_matches_has_no_map_image() -> None:
    assert best_map_image(RESULTS[11], MODEL) is None
    unmatched: LocalizationResult = replace(RESULTS[0], hits=RESULTS[11].hits)
    assert best_map_image(unmatched, MODEL) is None


def test_a_folder_or_a_file_may_be_named(tmp_path: Path) -> None:
    given = ReportInput("t", [QueryRecord("a", "localized", "", Rigid3.identity())])
    assert write_report(tmp_path / "out", given) == tmp_path / "out" / "report.html"
    assert write_report(tmp_path / "x.html", given) == tmp_path / "x.html"
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    (tmp_path / "file").write_text("")
    with pytest.raises(HlocLiteError, match="cannot write"):
        write_report(tmp_path / "file", given)
