"""A part of pipelines/benchmarks/corrupted_inputs.py: broken inputs end well."""

from __future__ import annotations

import pytest

from pipelines.benchmarks.corrupted_inputs import GOOD, Case, prepare, try_variant, variants

CHOSEN = variants()[::5]


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return prepare(tmp_path_factory.mktemp("corrupted") / "clean", "thumbnail")


@pytest.mark.parametrize("variant", CHOSEN, ids=[f"{v.group}-{v.name}" for v in CHOSEN])
def test_broken_inputs_are_errors_or_labelled_or_harmless(case: Case, variant) -> None:
    verdict, outcome = try_variant(case, variant, seed=7)
    assert verdict in GOOD, f"{verdict}: {outcome.text}{outcome.crash}"
    assert outcome.seconds < 20
