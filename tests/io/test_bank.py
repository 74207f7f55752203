"""Banks of arrays: what is read is what was written, or a FormatError; stores survive kills."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, HlocLiteError, ShapeError, StaleArtefactError
from hloc_lite.io.bank import Bank, write_bank
from hloc_lite.io.sharded_store import MAX_OPEN_SHARDS, ShardedStore, delete_store, is_store

KEYS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30), unique=True, max_size=8
)
quick = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def item(seed: int, length: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "keypoints": rng.random((length, 2)).astype(np.float32),
        "descriptors": rng.random((length, 5)).astype(np.float16),
        "size": np.array([seed, length], np.int32),
        "text": np.frombuffer(f"é{seed}".encode(), np.uint8),
    }


def same(found, expected) -> bool:
    return found.keys() == expected.keys() and all(
        np.array_equal(found[key], expected[key]) and found[key].dtype == expected[key].dtype
        for key in expected
    )


@quick
@given(keys=KEYS, lengths=st.lists(st.integers(0, 40), min_size=8, max_size=8))
def test_what_is_read_is_what_was_written(tmp_path: Path, keys, lengths) -> None:
    items = {key: item(n, length) for n, (key, length) in enumerate(zip(keys, lengths))}  # noqa: B905
    write_bank(tmp_path / "a.h5", items.items(), {"note": "ü", "list": [1, 2]})
    bank = Bank(tmp_path / "a.h5")
    assert list(bank) == keys and len(bank) == len(keys)
    assert bank.attrs == {"note": "ü", "list": [1, 2]}
    assert all(same(bank[key], items[key]) for key in keys)
    assert all(list(bank.read(key, ["size"])) == ["size"] for key in keys)
    assert "no such key" * 4 not in bank
    bank.close()


def test_keys_may_look_like_paths_and_there_may_be_many(tmp_path: Path) -> None:
    keys = ["/", "a/b", "a", "../x", ".", "", "a\0b", "😀" * 20000, *(f"n{i}" for i in range(5000))]
    write_bank(tmp_path / "a.h5", ((k, {"x": np.array([len(k)])}) for k in keys), {})
    bank = Bank(tmp_path / "a.h5")
    assert [int(bank[key]["x"][0]) for key in keys] == [len(key) for key in keys]


def test_more_than_is_written_at_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("hloc_lite.io.bank.BUFFER_BYTES", 500)
    items = {f"n{i}": item(i, length) for i, length in enumerate((0, 3, 90, 0, 1, 40, 2))}
    write_bank(tmp_path / "a.h5", items.items(), {})
    with closing(Bank(tmp_path / "a.h5")) as bank:
        assert list(bank) == list(items)
        assert all(same(bank[key], items[key]) for key in items)


def test_items_of_other_fields_are_refused(tmp_path: Path) -> None:
    items = [("a", {"x": np.zeros(1)}), ("b", {"y": np.zeros(1)})]
    with pytest.raises(ShapeError, match="'b' has fields"):
        write_bank(tmp_path / "a.h5", items, {})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("bank") / "whole.h5"
    write_bank(path, ((f"n{i}", item(i, 30)) for i in range(20)), {})
    return path.read_bytes()


def test_truncated_files_are_format_errors(tmp_path: Path, whole: bytes) -> None:
    for length in [0, 1, 8, 100, *np.linspace(200, len(whole) - 1, 60).astype(int)]:
        (tmp_path / "a.h5").write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"a\.h5"):
            Bank(tmp_path / "a.h5")


def test_damaged_bytes_are_never_read_as_data(tmp_path: Path, whole: bytes) -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for at in [*range(0, 1000, 7), *rng.integers(0, len(whole), 250)]:
        data = bytearray(whole)
        data[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "a.h5").write_bytes(data)
        try:
            # closed: HDF5 takes what it has open for what is there, as files are never changed
            with closing(Bank(tmp_path / "a.h5")) as bank:
                found = {key: bank[key] for key in bank}
        except FormatError as error:
            refused += "a.h5" in str(error)
            continue
        assert all(same(found[f"n{i}"], item(i, 30)) for i in range(20))
    assert refused > 200


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 5000, b"\x89HDF\r\n\x1a\n" * 9])
def test_other_files_are_format_errors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.h5"):
        Bank(tmp_path / "a.h5")
    with pytest.raises(FormatError, match="missing"):
        Bank(tmp_path / "missing.h5")


def test_hdf5_files_of_others_are_format_errors(tmp_path: Path) -> None:
    import h5py

    for number, header in enumerate((None, "group", b"[]", b"{}", b'{"schema": "x/1"}', b"\xff")):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            if header == "group":
                file.create_group("header")
            elif header is not None:
                file["header"] = np.frombuffer(header, np.uint8)
        with pytest.raises(FormatError, match=path.name):
            Bank(path)


def test_stores_keep_what_was_flushed(tmp_path: Path) -> None:
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


def test_stores_flush_by_themselves(tmp_path: Path) -> None:
    by_size = ShardedStore(tmp_path / "size", "f", "x", flush_mb=0.001, flush_s=1e9)
    for number in range(20):
        by_size.add(str(number), {"x": np.zeros(100)})
    assert len(ShardedStore(tmp_path / "size", "f", "x")) >= 18
    by_time = ShardedStore(tmp_path / "time", "f", "x", flush_s=0)
    by_time.add("a", {"x": np.zeros(1)})
    assert "a" in ShardedStore(tmp_path / "time", "f", "x")


def test_many_shards_need_few_open_files(tmp_path: Path) -> None:
    store = ShardedStore(tmp_path, "f", "x")
    for number in range(3 * MAX_OPEN_SHARDS):
        store.add(str(number), {"x": np.array([number])})
        store.flush()
    again = ShardedStore(tmp_path, "f", "x")
    assert [int(again[str(n)]["x"][0]) for n in range(len(again))] == [*range(3 * MAX_OPEN_SHARDS)]
    assert len(again._open) <= MAX_OPEN_SHARDS


def test_half_written_and_broken_shards_are_computed_again(tmp_path: Path, caplog) -> None:
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


def test_a_shard_with_damaged_data_is_met_once(tmp_path: Path) -> None:
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


def test_a_disk_that_does_not_give_back_what_it_took_is_an_error(
    tmp_path: Path, monkeypatch
) -> None:
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


def test_stale_stores_are_refused_with_both_fingerprints(tmp_path: Path) -> None:
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


def test_write_failures_are_errors_for_people(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HlocLiteError, match="cannot write"):
        write_bank(tmp_path / "file" / "a.h5", [("a", {"x": np.zeros(3)})], {})
    write_bank(tmp_path / "a.h5", [("a", {"x": np.zeros(3)})], {})

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hloc_lite.io.bank.ErrorDeferringFile.check", full)
    with pytest.raises(HlocLiteError, match="No space left"):
        write_bank(tmp_path / "a.h5", [("b", {"x": np.zeros(3)})], {})
    assert list(Bank(tmp_path / "a.h5")) == ["a"]
    assert {path.name for path in tmp_path.iterdir()} == {"file", "a.h5"}


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.bank import Bank, write_bank

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
items = [(str(n), {"x": np.random.default_rng(n).random((200, 16))}) for n in range(40)]
write_bank(path, items[:1], {})
for limit in [0, 1, 100, 2000, 4096, 50000, 200000, 1000000]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_bank(path, items, {})
        raise SystemExit(f"written with {limit} bytes")
    except HlocLiteError as error:
        assert "cannot write" in str(error) and "File too large" in str(error), error
    assert list(Bank(path)) == ["0"]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
write_bank(path, items, {})
assert len(Bank(path)) == 40
"""


def test_a_full_disk_neither_crashes_nor_replaces_anything(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.h5")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_files_of_others_in_a_stores_folder_are_left_alone(tmp_path: Path) -> None:
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
