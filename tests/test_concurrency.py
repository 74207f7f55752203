"""OpenMP threads of torch: they sleep while a stage runs, and all is as before afterwards."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.concurrency import WAIT_SETTINGS, _num_idle_teams, sleeping_openmp_threads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="GNU OpenMP")


@pytest.fixture(autouse=True)
def default_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WAIT_SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def as_many_threads_as_cores() -> Iterator[int]:
    before, cores = torch.get_num_threads(), max(2, len(os.sched_getaffinity(0)))
    torch.set_num_threads(cores)
    yield cores
    torch.set_num_threads(before)


@given(num_threads=st.integers(1, 128), num_cores=st.integers(1, 128))
def test_there_are_more_threads_than_cores_but_no_team_too_many(
    num_threads: int, num_cores: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in WAIT_SETTINGS:
            patch.delenv(name, raising=False)
        patch.setattr(torch, "get_num_threads", lambda: num_threads)
        patch.setattr(os, "sched_getaffinity", lambda _: set(range(num_cores)))
        teams = _num_idle_teams()
    total = 1 + (teams + 1) * (num_threads - 1)
    if num_threads == 1:
        assert teams == 0
    else:
        assert total > num_cores and (teams == 0 or total - (num_threads - 1) <= num_cores)


def test_teams_end_with_the_stage_also_if_it_fails(as_many_threads_as_cores: int) -> None:
    before = set(threading.enumerate())
    with pytest.raises(KeyError), sleeping_openmp_threads():
        teams = set(threading.enumerate()) - before
        assert len(teams) == 1 and torch.get_num_threads() == as_many_threads_as_cores
        raise KeyError
    for team in teams:
        team.join(timeout=10)
        assert not team.is_alive()
    assert torch.get_num_threads() == as_many_threads_as_cores


@pytest.mark.parametrize("name", WAIT_SETTINGS)
def test_what_the_user_has_set_is_left_alone(name, monkeypatch, as_many_threads_as_cores) -> None:
    monkeypatch.setenv(name, "0")
    before = threading.active_count()
    with sleeping_openmp_threads():
        assert threading.active_count() == before
