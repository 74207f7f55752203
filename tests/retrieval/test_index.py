"""The search index against sorting all similarities: ties, exclusion, subsets, OpenMP."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import ShapeError
from hloc_lite.retrieval import index as index_module
from hloc_lite.retrieval.index import RetrievalIndex


def unit_rows(rng, count, dim):
    rows = rng.normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_sorting(names, descriptors, query, k, excluded=None, allowed=None):
    scored = []
    for name, descriptor in zip(names, descriptors, strict=True):
        if name != excluded and (allowed is None or name in allowed):
            similarity = np.float32(np.sum(descriptor.astype(np.float64) * query))
            scored.append((-similarity, name))
    return [(name, -negative) for negative, name in sorted(scored)[:k]]


def found(hits):
    return list(zip(hits.names, hits.similarities, strict=True))


@given(
    seed=st.integers(0, 2**32 - 1),
    num_images=st.integers(0, 60),
    num_queries=st.integers(0, 30),
    k=st.integers(1, 80),
    num_distinct=st.integers(1, 60),
    subset=st.booleans(),
)
def test_equals_sorting_all(seed, num_images, num_queries, k, num_distinct, subset):
    rng = np.random.default_rng(seed)
    # copies of few distinct descriptors: ties of any length, also across rank k
    descriptors = unit_rows(rng, num_distinct, 6)[rng.integers(0, num_distinct, num_images)]
    names = [f"{n}/ä {rng.integers(1000)}.jpg" for n in rng.permutation(num_images)]
    queries = unit_rows(rng, num_queries, 6)
    pool = [*names, "not in the map.jpg", None]
    exclude = [pool[n] for n in rng.integers(0, len(pool), num_queries)]
    allowed = set(names[::2]) | {"unknown"} if subset else None
    hits = RetrievalIndex(names, descriptors.reshape(-1, 6)).search(queries, k, exclude, allowed)
    for query, hit, excluded in zip(queries, hits, exclude, strict=True):
        assert found(hit) == by_sorting(names, descriptors, query, k, excluded, allowed)


def test_excluded_images_are_not_found():
    rng = np.random.default_rng(1)
    names, descriptors = [f"{n:02}" for n in range(30)], unit_rows(rng, 30, 8)
    hits = RetrievalIndex(names, descriptors).search(descriptors, 29, exclude=names)
    for name, hit in zip(names, hits, strict=True):
        assert sorted((*hit.names, name)) == names


def test_nan_queries_find_nothing():
    index = RetrievalIndex(list("abcde"), np.eye(5, 8, dtype=np.float32))
    for excluded in (None, ["a"]):
        (hits,) = index.search(np.full((1, 8), np.nan, np.float32), 3, excluded)
        assert hits.names == ()


def test_equal_images_are_ordered_by_name():
    descriptor = np.array([[0.6, 0.8]], np.float32)
    names = [f"{n:04}" for n in reversed(range(1000))]
    (hits,) = RetrievalIndex(names, np.repeat(descriptor, 1000, axis=0)).search(descriptor, 3)
    assert hits.names == ("0000", "0001", "0002")


def test_chunks_of_queries_have_no_effect(monkeypatch):
    rng = np.random.default_rng(2)
    index = RetrievalIndex([str(n) for n in range(50)], unit_rows(rng, 50, 16))
    queries = unit_rows(rng, 23, 16)
    whole = [found(hit) for hit in index.search(queries, 5)]
    monkeypatch.setattr(index_module, "QUERIES_PER_CHUNK", 4)
    assert [found(hit) for hit in index.search(queries, 5)] == whole
    assert [found(index.search(query[None], 5)[0]) for query in queries] == whole


@pytest.mark.parametrize(
    ("names", "descriptors"), [(["a"], np.eye(2)), (["a", "a"], np.eye(2)), (["a"], np.ones(2))]
)
def test_invalid_descriptors_are_refused(names, descriptors):
    with pytest.raises(ShapeError):
        RetrievalIndex(names, descriptors)


def test_invalid_queries_are_refused():
    index = RetrievalIndex(["a", "b"], np.eye(2, dtype=np.float32))
    with pytest.raises(ShapeError, match="same retrieval"):
        index.search(np.eye(3, dtype=np.float32), 1)
    with pytest.raises(ShapeError, match="1 names for 2 queries"):
        index.search(np.eye(2, dtype=np.float32), 1, exclude=["a"])


@pytest.mark.slow
@pytest.mark.parametrize("first", ["torch, faiss", "faiss, torch"])
def test_faiss_and_torch_work_in_one_process(first):
    code = f"""
import {first}, numpy as np
rows = np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32)
product = torch.tensor(rows) @ torch.tensor(rows[:50]).T
index = faiss.IndexFlatIP(64); index.add(rows)
similarities, found = index.search(rows[:50], 1)
assert np.allclose(product.max(0).values, similarities[:, 0], rtol=1e-4)
faiss.Kmeans(64, 8, seed=0).train(rows)
assert torch.allclose(torch.tensor(rows) @ torch.tensor(rows[:50]).T, product)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "OMP" not in done.stderr
