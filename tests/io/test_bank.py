"""Banks of arrays: round trips, damage, full disks."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, HlocLiteError, ShapeError
from hloc_lite.io.bank import Bank, write_bank
from tests.io.bank_items import item, same

KEYS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30), unique=True, max_size=8
)
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(keys=KEYS, lengths=st.lists(st.integers(0, 40), min_size=8, max_size=8))
def test_items_round_trip(tmp_path: Path, keys, lengths) -> None:
    items = {key: item(n, length) for n, (key, length) in enumerate(zip(keys, lengths))}  # noqa: B905
    write_bank(tmp_path / "a.h5", items.items(), {"note": "ü", "list": [1, 2]})
    bank = Bank(tmp_path / "a.h5")
    assert list(bank) == keys and len(bank) == len(keys)
    assert bank.attrs == {"note": "ü", "list": [1, 2]}
    assert all(same(bank[key], items[key]) for key in keys)
    assert all(list(bank.read(key, ["size"])) == ["size"] for key in keys)
    assert "no such key" * 4 not in bank
    bank.close()


def test_keys_may_look_like_paths_or_be_long(tmp_path: Path) -> None:
    keys = ["/", "a/b", "a", "../x", ".", "", "a\0b", "😀" * 20000, *(f"n{i}" for i in range(5000))]
    write_bank(tmp_path / "a.h5", ((k, {"x": np.array([len(k)])}) for k in keys), {})
    bank = Bank(tmp_path / "a.h5")
    assert [int(bank[key]["x"][0]) for key in keys] == [len(key) for key in keys]


def test_items_larger_than_the_write_buffer_round_trip(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("hloc_lite.io.bank.BUFFER_BYTES", 500)
    items = {f"n{i}": item(i, length) for i, length in enumerate((0, 3, 90, 0, 1, 40, 2))}
    write_bank(tmp_path / "a.h5", items.items(), {})
    with closing(Bank(tmp_path / "a.h5")) as bank:
        assert list(bank) == list(items)
        assert all(same(bank[key], items[key]) for key in items)


def test_items_with_different_fields_are_refused(tmp_path: Path) -> None:
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


def test_flipped_bits_are_detected_or_harmless(tmp_path: Path, whole: bytes) -> None:
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


def test_foreign_hdf5_files_are_format_errors(tmp_path: Path) -> None:
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


def test_write_failures_raise_hloc_lite_errors(tmp_path: Path, monkeypatch) -> None:
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
import h5py
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


def test_a_full_disk_does_not_crash_or_replace_files(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.h5")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def _replace(path: Path, name: str, make) -> None:
    """Replace a dataset of a bank by what ``make`` puts in its place."""
    with h5py.File(path, "r+") as file:
        del file[name]
        make(file, name)


HOSTILE = {
    "external link": lambda file, name: file.__setitem__(
        name, h5py.ExternalLink("private.h5", "values")
    ),
    "soft link": lambda file, name: file.__setitem__(name, h5py.SoftLink("/b")),
    "external values": lambda file, name: file.create_dataset(
        name, (7,), np.uint8, external=[("private.txt", 0, 7)]
    ),
    "claimed values": lambda file, name: file.create_dataset(
        name, (2**40,), np.float64, chunks=(1024,), fletcher32=True
    ),
    "compressed": lambda file, name: file.create_dataset(
        name, data=np.zeros(10**7, np.uint8), compression="gzip"
    ),
    "virtual": lambda file, name: file.create_virtual_dataset(
        name, h5py.VirtualLayout((7,), np.uint8)
    ),
    "group": lambda file, name: file.create_group(name),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", ["a", "offsets/a", "header"])
def test_values_of_other_files_and_claimed_ones_are_never_read(
    tmp_path: Path, kind: str, name: str, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private.txt").write_text("private")
    with h5py.File("private.h5", "w") as file:
        file["values"] = np.arange(7)
    path = tmp_path / "bank.h5"
    write_bank(path, [("x", {"a": np.arange(7), "b": np.arange(7)})], {})
    _replace(path, name, HOSTILE[kind])
    with pytest.raises(FormatError, match="bank"):
        Bank(path)
