"""A fifth of the variants of pipelines/benchmarks/robustness/corrupted_inputs.py."""

from __future__ import annotations

import pytest

from pipelines.benchmarks.robustness.corrupted_inputs import GOOD, Case, prepare, run_variant
from pipelines.benchmarks.robustness.corrupted_variants import variants

CHOSEN = variants()[::5]


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return prepare(tmp_path_factory.mktemp("corrupted") / "clean", "thumbnail")


@pytest.mark.parametrize("variant", CHOSEN, ids=[f"{v.group}-{v.name}" for v in CHOSEN])
def test_corrupted_input_has_an_acceptable_outcome(case: Case, variant) -> None:
    outcome, done = run_variant(case, variant, seed=7)
    assert outcome in GOOD, f"{outcome}: {done.text}{done.crash}"
    assert done.seconds < 20
