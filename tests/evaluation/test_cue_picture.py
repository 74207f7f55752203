"""Pictures and tables of the cues of a query's matches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.consistency.labels import CLASS_NAMES
from hloc_lite.evaluation.cue_picture import (
    classes_shown,
    cue_rows,
    draw_cues,
    weight_shades,
    weight_ticks,
)
from hloc_lite.evaluation.report import render_report
from hloc_lite.evaluation.report_input import report_input_from_results
from hloc_lite.types import UNKNOWN_LABEL, Cue, LabelMap, LocalizationResult, Photo

from .scenes import failed_result, grey_photo, level_camera, localized_result, ring_model

MODEL = ring_model()
POSE = level_camera((7, 0, 1.5), np.pi, 0.0)


def with_cues(*cues: Cue) -> LocalizationResult:
    """Result with cues and 60 correspondences, the first 40 inliers."""
    return replace(localized_result("q.jpg", MODEL, POSE, POSE), cues=cues)


def labels_cue() -> Cue:
    """Cue that assesses the last 50 and lowers four inliers and eight outliers."""
    factors = np.ones(60)
    factors[36:48] = 0.2
    return Cue("semantics", factors, np.arange(60) >= 10)


def half_sky() -> LabelMap:
    labels = np.full((24, 32), CLASS_NAMES.index("sky"), np.uint8)
    labels[12:] = CLASS_NAMES.index("road")
    labels[20:, :8] = UNKNOWN_LABEL
    return LabelMap(labels, (320, 240))


def page(result: LocalizationResult, label_map: LabelMap | None = None) -> str:
    report = report_input_from_results(
        [result], title="t", model=MODEL, load_query_photo=grey_photo,
        load_labels=lambda photo: label_map,
    )  # fmt: skip
    return render_report(report)


def test_row_counts_inliers_and_outliers_that_a_cue_lowered() -> None:
    (row,) = cue_rows(with_cues(labels_cue()))
    assert (row["name"], row["assessed"], row["lowered"]) == ("semantics", 50, 12)
    assert row["inliers"] == {"count": 40, "lowered": 4, "factor": pytest.approx(0.92)}
    assert row["outliers"] == {"count": 20, "lowered": 8, "factor": pytest.approx(0.68)}


def test_without_a_pose_all_are_outliers() -> None:
    (row,) = cue_rows(replace(with_cues(labels_cue()), pose=None))
    assert row["inliers"] == {"count": 0, "lowered": 0, "factor": None}
    assert row["outliers"]["count"] == 60


def test_classes_are_ordered_by_area() -> None:
    found = classes_shown(half_sky())
    assert [name for name, _ in found] == ["sky", "road"]
    assert found[0][1] == "#4682b4"  # the steel blue of Cityscapes


def test_labels_add_a_panel() -> None:
    result, photo = with_cues(labels_cue()), grey_photo("q.jpg")
    alone = draw_cues(result, photo, None)
    both = draw_cues(result, photo, half_sky())
    assert (alone.width, alone.height) == (320, 240)
    assert both.width > 2 * 320
    assert alone.classes == ()
    assert both.uri.startswith("data:image/webp;base64,")


@pytest.mark.parametrize("label_map", [None, half_sky()], ids=["no labels", "labels"])
def test_page_shows_cues_if_there_are_any(label_map: LabelMap | None) -> None:
    html = page(with_cues(labels_cue()), label_map)
    assert "<h2>Cues</h2>" in html
    assert "4 of 40" in html
    assert "8 of 20" in html
    assert ("</i>sky</span>" in html) == (label_map is not None)
    assert "<h2>Cues</h2>" not in page(with_cues(), label_map)


def test_query_without_correspondences_shows_no_cues() -> None:
    result = replace(failed_result("q.jpg"), cues=(labels_cue(),))
    assert cue_rows(result) == []
    assert "<h2>Cues</h2>" not in page(result)


def test_colour_scale_is_logarithmic() -> None:
    ticks = weight_ticks()
    assert [text for _, text in ticks] == ["0.001", "0.01", "0.1", "1"]
    weights = 40 * np.array([float(text) for _, text in ticks])
    np.testing.assert_allclose(100 * weight_shades(weights), [percent for percent, _ in ticks])
    np.testing.assert_allclose(weight_shades(np.array([1e-9, 0.0, 5.0])), [0, 0, 1], atol=1e-12)
    html = page(with_cues(labels_cue()))
    assert all(f">{text}</span>" in html for _, text in ticks)
    assert "darkest: 0.001 or less" in html


def test_equal_and_vanishing_weights_can_be_drawn() -> None:
    result = with_cues(labels_cue())
    assert result.correspondences is not None
    for weights in (np.zeros(60), np.ones(60), np.geomspace(1e-300, 1, 60)):
        given = replace(result, correspondences=replace(result.correspondences, weights=weights))
        photo = Photo("q.jpg", np.full((48, 64, 3), 90, np.uint8))
        with np.errstate(all="raise", under="ignore"):
            assert draw_cues(given, photo, None).uri
