"""The HTML report: its numbers, its self-containedness, and reports with missing inputs."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.match_picture import draw_matches
from hloc_lite.evaluation.metrics import BootstrapConfig
from hloc_lite.evaluation.records import QueryRecord
from hloc_lite.evaluation.report import render_report, write_report
from hloc_lite.evaluation.report_input import ReportInput, report_input_from_results
from hloc_lite.evaluation.shared_view import best_map_image
from hloc_lite.evaluation.thresholds import Threshold, percent_of
from hloc_lite.types import LocalizationResult, Photo, Rigid3

from .scenes import failed_result, grey_photo, level_camera, localized_result, moved, ring_model

MODEL = ring_model()
NAMES = [f"query/<day> & ü {i}.jpg" for i in range(12)]
TRUE = {
    name: level_camera((7 * np.cos(i), 7 * np.sin(i), 1.5), i + np.pi, 0.0)
    for i, name in enumerate(NAMES)
}
RESULTS = [
    localized_result(name, MODEL, TRUE[name], moved(TRUE[name], 0.01 * 2**i, 0.1))
    for i, name in enumerate(NAMES[:10])
] + [failed_result(name) for name in NAMES[10:]]
BOOTSTRAP = BootstrapConfig(num_resamples=100)


class Page(HTMLParser):
    """Parsed page: visible text and addresses; fails on tags that are not closed."""

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
    return report_input_from_results(RESULTS, **chosen)


@pytest.fixture(scope="module")
def full_html() -> str:
    return render_report(full_input())


@pytest.fixture(scope="module")
def full_page(full_html: str) -> Page:
    return Page(full_html)


def test_page_is_self_contained(full_page: Page, full_html: str) -> None:
    assert full_page.addresses
    assert all(a.startswith(("data:", "#")) for a in full_page.addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/)", full_html)


def test_key_figures_match_the_scores(full_page: Page) -> None:
    text = full_page.text
    # errors 0.01 * 2^i: five are within 0.25, six within 0.5, nine within 5, of twelve
    assert "within 0.25 map units, 2° 41.7 %" in text
    assert "within 0.5 map units, 5° 50.0 %" in text
    assert "within 5 map units, 10° 75.0 %" in text
    assert "10 of 12 queries" in text
    assert "median position 0.48 map units" in text  # of (0.32, 0.64)
    assert "median rotation 0.1°" in text
    assert "median time 120 ms" in text


def test_given_but_wrong_comes_first(full_page: Page) -> None:
    text = full_page.text
    assert "given but wrong 5 of 10 wrong: beyond 0.25 map units or 2°" in text
    assert text.index("given but wrong") < text.index("localized")


def test_without_confidences_there_is_no_section_about_them(full_page: Page) -> None:
    assert "calibration error" not in full_page.text


def test_confidences_are_shown_and_scored() -> None:
    sure = [
        replace(result, confidence=0.99 - 0.02 * i, promise="at most 1 % wrong")
        for i, result in enumerate(RESULTS)
    ]
    given = report_input_from_results(
        sure, title="t", conditions={"day": TRUE}, bootstrap=BOOTSTRAP
    )
    html = render_report(given)
    page = Page(html)
    assert "at most 1 % wrong" in page.text
    assert "calibration error" in page.text and "AUC of precision" in page.text
    assert "0.990" in page.texts and "0.970" in page.texts
    assert "localized, wrong" in page.text
    assert "Reliability diagram" in html and "Share of wrong answers over" in html


def test_failures_are_listed_with_reasons(full_page: Page) -> None:
    assert "too few matches : 2 of 12" in full_page.text
    assert f"{NAMES[10]} – only 3 matches" in full_page.text


def test_best_middle_worst_and_failed_queries_have_cards(full_html: str) -> None:
    cards = re.findall(r'class="kind">(\w+)</span><b>([^<]*)</b>', full_html)
    shown = [(kind, int(name.split()[-1].removesuffix(".jpg"))) for kind, name in cards]
    assert shown[:2] == [("best", 0), ("best", 1)]
    assert shown[2:4] == [("middle", 4), ("middle", 5)]
    assert shown[4:6] == [("worst", 9), ("worst", 8)]
    assert shown[6:] == [("failed", 10), ("failed", 11)]


def test_page_lists_stages_settings_and_versions(full_page: Page) -> None:
    text = full_page.text
    assert "features 12 100 ms 100 ms" in text
    assert "pose.max_error_px 12.0" in text
    assert "hloc_lite 0.1.0" in text
    assert "Town <1> & more" in text  # escaped in the HTML source


def test_report_without_ground_truth_has_no_errors() -> None:
    page = Page(render_report(full_input(conditions=None)))
    assert "within" not in page.text
    assert "Accuracy" not in page.text
    assert "median inliers 40" in page.text
    assert "Plan view" in page.text
    assert "most inliers" in page.text


def test_report_of_poses_only() -> None:
    records = [QueryRecord(n, "localized", "", TRUE[n]) for n in NAMES[:3]]
    page = Page(render_report(ReportInput("poses only", records)))
    assert "3 of 3 queries" in page.text
    assert "None: every query has a pose." in page.text
    assert "Matches" not in page.text


def test_report_without_queries_or_poses() -> None:
    assert "localized none 0 of 0" in Page(render_report(ReportInput("empty", []))).text
    failures = [failed_result(name) for name in NAMES]
    given = report_input_from_results(
        failures, title="t", conditions={"day": TRUE}, bootstrap=BOOTSTRAP
    )
    page = Page(render_report(given))
    assert "median position no pose" in page.text
    assert "localized 0.0 %" in page.text


def test_ground_truth_queries_missing_in_the_run_are_failures() -> None:
    given = report_input_from_results(
        RESULTS[:9], title="t", conditions={"day": TRUE}, bootstrap=BOOTSTRAP
    )
    page = Page(render_report(given))
    assert "missing : 3 of 12" in page.text
    assert "9 of 12 queries" in page.text


def test_matching_by_basename_is_reported() -> None:
    short = [replace(r, query_name=r.query_name.removeprefix("query/")) for r in RESULTS]
    loaded = []

    def load(name: str) -> Photo:
        loaded.append(name)
        return grey_photo(name)

    given = report_input_from_results(
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
    assert "within 0.5 map units, 5° 50.0 %" in page.text
    assert "missing" not in page.text
    assert loaded[0] == NAMES[0].removeprefix("query/")  # photos are loaded by their original name


def test_each_condition_has_a_row() -> None:
    conditions = {
        "day": {n: TRUE[n] for n in NAMES[:6]},
        "night": {n: TRUE[n] for n in NAMES[6:]},
    }
    html = render_report(full_input(conditions=conditions))
    page = Page(html)
    assert re.search(r"day 6 6 1 83\.3", page.text)
    assert re.search(r"night 6 4 4 0\.0", page.text)
    assert re.search(r"all 12 10 5 41\.7", page.text)


@pytest.mark.parametrize("name", ["x$a^^$y", "$$", "<b> & \\frac"])
def test_condition_names_are_escaped(name: str) -> None:
    conditions = {name: {n: TRUE[n] for n in NAMES[:6]}, "b": {n: TRUE[n] for n in NAMES[6:]}}
    page = Page(render_report(full_input(conditions=conditions)))
    assert page.texts.count(name) >= 3  # table row and both curves


def test_custom_threshold_labels() -> None:
    page = Page(render_report(full_input(thresholds=[Threshold(0.25, 2.0, "strict")])))
    assert "within strict 41.7 %" in page.text


def test_distances_in_percent() -> None:
    page = Page(render_report(full_input(unit=percent_of(10.0))))
    assert "median position 4.8 %" in page.text


def test_unreadable_photos_have_no_card() -> None:
    failures = [failed_result(name) for name in NAMES]
    given = report_input_from_results(failures, title="t", load_query_photo=lambda _: None)
    assert "Matches" not in Page(render_report(given)).text
    given = report_input_from_results(
        RESULTS[:1], title="t", model=MODEL, load_query_photo=grey_photo
    )
    assert "Matches" in Page(render_report(given)).text


def test_report_of_results_without_correspondences() -> None:
    bare = [replace(result, correspondences=None) for result in RESULTS]
    given = report_input_from_results(
        bare, title="t", conditions={"day": TRUE}, model=MODEL, load_query_photo=grey_photo
    )
    assert "within 0.5 map units, 5° 50.0 %" in Page(render_report(given)).text


def test_best_map_image_sees_most_inliers() -> None:
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
    keypoint_of = {point: xy for point, xy in zip(image.point3D_idxs, image.keypoints, strict=True)}
    shown = result.correspondences.point3D_idxs[best.rows]
    np.testing.assert_array_equal(best.keypoints, [keypoint_of[point] for point in shown])
    picture = draw_matches(result, grey_photo("q"), (best, grey_photo("m")))
    assert (picture.width, picture.height) == (320 + 8 + 320, 240)
    assert picture.num_lines == len(best.rows)


def test_no_map_image_without_matches() -> None:
    assert best_map_image(RESULTS[11], MODEL) is None
    unmatched: LocalizationResult = replace(RESULTS[0], hits=RESULTS[11].hits)
    assert best_map_image(unmatched, MODEL) is None


def test_output_may_be_a_folder_or_a_file(tmp_path: Path) -> None:
    given = ReportInput("t", [QueryRecord("a", "localized", "", Rigid3.identity())])
    assert write_report(tmp_path / "out", given) == tmp_path / "out" / "report.html"
    assert write_report(tmp_path / "x.html", given) == tmp_path / "x.html"
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    (tmp_path / "file").write_text("")
    with pytest.raises(HlocLiteError, match="cannot write"):
        write_report(tmp_path / "file", given)
