"""Sharded stores: kills, damaged shards, stale fingerprints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError, StaleArtefactError
from hloc_lite.io.sharded_store import MAX_OPEN_SHARDS, ShardedStore, delete_store, is_store
from tests.io.bank_items import item, same


def test_a_store_keeps_flushed_items(tmp_path: Path) -> None:
    store = ShardedStore(tmp_path, "f1", "features")
    store.add("a", item(0, 3))
    store.flush()
    store.add("b", item(1, 4))
    assert set(store) == {"a", "b"} and len(store) == 2 and same(store["b"], item(1, 4))
    # no close(): as if killed
    again = ShardedStore(tmp_path, "f1", "features")
    assert set(again) == {"a"} and same(again["a"], item(0, 3))
    again.add("b", item(1, 4))
    again.close()
    last = ShardedStore(tmp_path, "f1", "features")
    assert set(last) == {"a", "b"} and same(
        dict(last.read("b", ["size"])), {"size": item(1, 4)["size"]}
    )


def test_a_store_flushes_by_size_and_time(tmp_path: Path) -> None:
    by_size = ShardedStore(tmp_path / "size", "f", "x", flush_mb=0.001, flush_s=1e9)
    for number in range(20):
        by_size.add(str(number), {"x": np.zeros(100)})
    assert len(ShardedStore(tmp_path / "size", "f", "x")) >= 18
    by_time = ShardedStore(tmp_path / "time", "f", "x", flush_s=0)
    by_time.add("a", {"x": np.zeros(1)})
    assert "a" in ShardedStore(tmp_path / "time", "f", "x")


def test_the_number_of_open_shards_is_limited(tmp_path: Path) -> None:
    store = ShardedStore(tmp_path, "f", "x")
    for number in range(3 * MAX_OPEN_SHARDS):
        store.add(str(number), {"x": np.array([number])})
        store.flush()
    again = ShardedStore(tmp_path, "f", "x")
    assert [int(again[str(n)]["x"][0]) for n in range(len(again))] == [*range(3 * MAX_OPEN_SHARDS)]
    assert len(again._open) <= MAX_OPEN_SHARDS


def test_partial_and_broken_shards_are_dropped(tmp_path: Path, caplog) -> None:
    store = ShardedStore(tmp_path, "f", "x")
    for key in "abc":
        store.add(key, {"x": np.array([ord(key)])})
        store.flush()
    store.close()
    shards = sorted(tmp_path.glob("shard-*.h5"))
    shards[1].write_bytes(shards[1].read_bytes()[:-500])
    (tmp_path / ".shard-000003.h5.0123abcd.partial").write_bytes(b"half")
    again = ShardedStore(tmp_path, "f", "x")
    assert set(again) == {"a", "c"} and "computed again" in caplog.text
    assert not list(tmp_path.glob(".*.partial"))
    again.add("b", {"x": np.array([1])})
    again.flush()
    assert {k: int(v["x"][0]) for k, v in ShardedStore(tmp_path, "f", "x").items()} == {
        "a": ord("a"), "b": 1, "c": ord("c"),
    }  # fmt: skip


def test_a_damaged_shard_is_set_aside_when_it_is_read(tmp_path: Path) -> None:
    store = ShardedStore(tmp_path, "f", "x")
    store.add("a", {"x": np.arange(1000.0)})
    store.close()
    (shard,) = tmp_path.glob("shard-*.h5")
    whole = shard.read_bytes()
    start = whole.index(np.arange(1000.0).tobytes()[80:160])
    shard.write_bytes(whole[:start] + b"damaged!" + whole[start + 8 :])
    damaged = ShardedStore(tmp_path, "f", "x")
    assert "a" in damaged
    with pytest.raises(FormatError, match="Run again"):
        damaged["a"]
    assert "a" not in ShardedStore(tmp_path, "f", "x")


def test_a_shard_that_reads_back_wrong_is_an_error(tmp_path: Path, monkeypatch) -> None:
    def write(path: Path, *_: object) -> None:
        path.write_bytes(b"something else")

    monkeypatch.setattr("hloc_lite.io.sharded_store.write_bank", write)
    store = ShardedStore(tmp_path, "f", "features")
    store.add("a", {"x": np.zeros(3)})
    with pytest.raises(FormatError, match="shard-000000"):
        store.flush()
    assert "a" in store


def test_a_new_shard_never_replaces_one(tmp_path: Path) -> None:
    store = ShardedStore(tmp_path, "f", "x")
    for key in "abc":
        store.add(key, {"x": np.array([ord(key)])})
        store.flush()
    sorted(tmp_path.glob("shard-*.h5"))[0].unlink()
    again = ShardedStore(tmp_path, "f", "x")
    again.add("a", {"x": np.array([1])})
    again.flush()
    assert set(ShardedStore(tmp_path, "f", "x")) == {"a", "b", "c"}


def test_a_stale_store_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    ShardedStore(tmp_path, "first", "features").close()
    with pytest.raises(StaleArtefactError, match=r"features.*first.*second.*--overwrite"):
        ShardedStore(tmp_path, "second", "features")
    for text in ("", "[]", "null", '{"fingerprint": 3}', "{"):
        (tmp_path / "store.json").write_text(text)
        with pytest.raises((StaleArtefactError, FormatError), match=r"features|store\.json"):
            ShardedStore(tmp_path, "first", "features")
    (tmp_path / "store.json").unlink()
    ShardedStore(tmp_path, "first", "features")
    assert json.loads((tmp_path / "store.json").read_text())["fingerprint"] == "first"


def test_foreign_files_in_a_store_are_left_alone(tmp_path: Path) -> None:
    others = ("shard-0x.h5", "shard-1.h5", "mine.h5", "shard-notes.txt")
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    store = ShardedStore(tmp_path, "f", "x")
    store.add("a", {"x": np.zeros(1)})
    store.close()
    assert (tmp_path / "shard-000000.h5").is_file()
    store.clear()
    store.add("a", {"x": np.zeros(1)})
    store.close()
    assert is_store(tmp_path)
    delete_store(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    assert {(tmp_path / name).read_bytes() for name in others} == {b"mine"}
