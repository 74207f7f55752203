"""Index of many descriptors in a folder: built as they come, searched by codes, ranked exactly.

INDEX/index.json            number of vectors of each segment, number of removals, checksum
INDEX/code-book/            cells and codes that were learned from the first vectors
INDEX/segment-000000/       lists, codes, vectors (float16) and names of some vectors
INDEX/removed-000000/       numbers of all vectors that were removed so far

A folder of arrays is written whole before ``index.json`` names it. So a killed process leaves the
index as it was before the segment at work, and none that is complete is made again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from hloc_lite.config import Section
from hloc_lite.errors import FormatError, HlocLiteError, ShapeError
from hloc_lite.io.array_file import ArrayRows
from hloc_lite.io.array_folder import (
    listed_file,
    read_array_folder,
    read_header,
    read_listed_array,
    write_array_folder,
)
from hloc_lite.io.files import read_json_object, write_json_atomic
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.schemas import check_checksum, check_schema, with_checksum
from hloc_lite.io.staging import LOCK
from hloc_lite.retrieval.ivf_pq import (
    SAMPLES_PER_LIST,
    CodeBook,
    CodeSearch,
    encode,
    learn_code_book,
    num_lists,
)
from hloc_lite.retrieval.unit_batches import regrouped
from hloc_lite.types import Float32, Int64, RetrievalHits

SCHEMA = "hloc_lite.large_index/1"
SEGMENT_SCHEMA, BOOK_SCHEMA, REMOVED_SCHEMA = (
    f"hloc_lite.large_index_{part}/1" for part in ("segment", "code_book", "removed")
)
HEADER = "index.json"
BOOK = "code-book"


class LargeIndexConfig(Section):
    """Size of segments, and effort of a search."""

    segment_rows: int = Field(65536, ge=1, le=1 << 24)
    """Vectors of a segment: as many are in memory while it is built (0.1 GB at 512 dimensions), and
    lost if the process is killed. The first has as many as teach the inverted lists."""
    expected_rows: int = Field(1_000_000, ge=1, le=1 << 32)
    """Vectors that the index will have about; sets the number of inverted lists."""
    probes: int = Field(32, ge=1, le=65536)
    """Inverted lists that a query looks through. Of a million clustered vectors, 16 find 96 percent
    of the 50 nearest, 32 find 97, 48 find 98."""
    candidates: int = Field(200, ge=1, le=100_000)
    """Nearest codes that are ranked by their vectors: four for each of 50; twice as many find no
    more."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the clustering."""


class LargeIndex:
    """Cosine search over unit descriptors in a folder, which other processes may read meanwhile.

    Args:
        folder: of an index, or empty for a new one.
        config: search uses ``probes`` and ``candidates``, building the rest.

    Raises:
        FormatError: the folder holds something else, or a damaged index.
    """

    def __init__(self, folder: Path, config: LargeIndexConfig | None = None) -> None:
        self.folder, self.config = folder, config or LargeIndexConfig()
        self._segments: list[int] = []
        self._removed = np.zeros(0, np.int64)
        self._num_removals = 0
        self._names: list[str] = []
        self._rows: list[ArrayRows] = []
        self._search: CodeSearch | None = None
        self._book: CodeBook | None = None
        if (folder / HEADER).is_file():
            self._open()
        elif folder.is_dir() and any(folder.iterdir()):
            parts = (BOOK, "segment-", "removed-", ".")  # .: locks and partial files
            other = [path.name for path in folder.iterdir() if not path.name.startswith(parts)]
            if other:
                raise FormatError(f"{folder} holds other files, e.g. {other[0]}; choose another")

    def __len__(self) -> int:
        """Number of descriptors that can be found."""
        return len(self._names) - len(self._removed)

    @property
    def num_added(self) -> int:
        """Descriptors that were ever added, also those removed since."""
        return len(self._names)

    def add(self, batches: Iterable[tuple[Sequence[str], Float32]]) -> None:
        """Add descriptors; each full segment is on disk before the next is begun.

        After a kill, give what follows the first ``num_added``. A name may come again: the new
        descriptor is another one, and the old one stays until it is removed.

        Args:
            batches: names and (B, D) unit rows, as they come.

        Raises:
            ShapeError: other dimensions than before, numbers of names and rows that differ, or rows
                that are no unit vectors.
            HlocLiteError: the folder cannot be written, or another process writes there or has.
        """
        with self._writing():
            self._add(batches)

    def _add(self, batches: Iterable[tuple[Sequence[str], Float32]]) -> None:
        size = self.config.segment_rows
        first = size if self._book is not None else max(size, SAMPLES_PER_LIST * self._num_lists())
        for names, vectors in regrouped(batches, first, size):
            if self._book is None:
                self._learn(vectors)
            self._write_segment(names, vectors)

    def remove(self, names: Iterable[str]) -> int:
        """Remove descriptors by name, and return how many there were; no segment is rewritten.

        Raises:
            HlocLiteError: as ``add``.
        """
        with self._writing():
            return self._remove(names)

    def _remove(self, names: Iterable[str]) -> int:
        wanted = set(names)
        found = [number for number, name in enumerate(self._names) if name in wanted]
        new = np.setdiff1d(np.array(found, np.int64), self._removed)
        if len(new):
            removed = np.union1d(self._removed, new)
            self._num_removals += 1
            folder = self.folder / f"removed-{self._num_removals:06d}"
            write_array_folder(
                folder, REMOVED_SCHEMA, {"removed/numbers": removed}, {}, overwrite=True
            )
            self._removed = removed
            self._write_header()
            shutil.rmtree(self.folder / f"removed-{self._num_removals - 1:06d}", ignore_errors=True)
        return len(new)

    def search(self, queries: Float32, k: int) -> list[RetrievalHits]:
        """The k most similar descriptors of each query, best first; ties in order of addition.

        Cosines are exact up to the half precision of the vectors. What the codes miss is missed.

        Args:
            queries: (Q, D) unit rows.
            k: number of descriptors; fewer are found if the index has fewer.

        Raises:
            ShapeError: D differs from that of the index.
        """
        if self._book is None or self._search is None:
            return [RetrievalHits((), np.zeros(0, np.float32)) for _ in queries]
        self._check_dim(queries)
        count = max(k, self.config.candidates)
        found = self._search.nearest(queries, count, self.config.probes, self._removed)
        return [self._rank(query, row, k) for query, row in zip(queries, found, strict=True)]

    def _rank(self, query: Float32, numbers: Int64, k: int) -> RetrievalHits:
        numbers = np.sort(numbers[numbers >= 0])
        cosines = self._vectors(numbers).astype(np.float32) @ query
        best = np.argsort(-cosines, kind="stable")[:k]
        names = tuple(self._names[number] for number in numbers[best])
        return RetrievalHits(names, cosines[best])

    def _vectors(self, numbers: Int64) -> np.ndarray:
        """(N, D) stored vectors of ascending numbers."""
        starts = np.cumsum([0, *(len(rows) for rows in self._rows)])
        bounds = np.searchsorted(numbers, starts)
        parts = [
            rows[numbers[first:last] - start]
            for rows, start, first, last in zip(
                self._rows, starts[:-1], bounds[:-1], bounds[1:], strict=True
            )
            if last > first
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._dim), np.float16)

    @property
    def _dim(self) -> int:
        return 0 if self._book is None else self._book.dim

    def _check_dim(self, vectors: Float32) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self._dim:
            raise ShapeError(
                f"expected descriptors (any, {self._dim}), got {vectors.shape}; describe all with "
                f"the same retrieval"
            )

    def _learn(self, vectors: Float32) -> None:
        """Learn cells and codes from the first segment."""
        lists = min(self._num_lists(), max(1, len(vectors) // SAMPLES_PER_LIST))
        book = learn_code_book(vectors, lists, self.config.seed)
        arrays = {"book/centroids": book.centroids, "book/codewords": book.codewords}
        write_array_folder(self.folder / BOOK, BOOK_SCHEMA, arrays, {}, overwrite=True)
        self._book, self._search = book, CodeSearch(book)

    def _num_lists(self) -> int:
        return num_lists(self.config.expected_rows)

    def _write_segment(self, names: Sequence[str], vectors: Float32) -> None:
        assert self._book is not None
        self._check_dim(vectors)
        lists, codes = encode(self._book, vectors)
        ends = np.cumsum([len(name.encode()) for name in names])
        text = np.frombuffer("".join(names).encode(), np.uint8)
        arrays: dict[str, np.ndarray] = {
            "codes/lists": lists.astype(np.int32), "codes/codes": codes,
            "vectors/vectors": vectors.astype(np.float16),
            "names/text": text, "names/ends": ends.astype(np.int64),
        }  # fmt: skip
        folder = self._segment_folder(len(self._segments))
        header = {"shape": list(vectors.shape)}
        write_array_folder(folder, SEGMENT_SCHEMA, arrays, header, overwrite=True)
        self._segments.append(len(names))
        self._write_header()
        self._open_segment(len(self._segments) - 1)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep other writers out; what one wrote since this index was opened is not overwritten."""
        busy = HlocLiteError(f"another process is writing {self.folder}; wait for it")
        with exclusive_lock(
            self.folder / LOCK, busy, lambda e: HlocLiteError(f"cannot write {self.folder}: {e}")
        ):
            path = self.folder / HEADER
            if path.is_file() and read_json_object(path) != with_checksum(self._header()):
                raise HlocLiteError(
                    f"{self.folder} was changed by another process meanwhile; open it again"
                )
            yield

    def _header(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "segments": self._segments, "removals": self._num_removals}

    def _write_header(self) -> None:
        try:
            write_json_atomic(self.folder / HEADER, with_checksum(self._header()))
        except OSError as error:
            raise HlocLiteError(f"cannot write {self.folder}: {error}") from error

    def _open(self) -> None:
        path = self.folder / HEADER
        header = read_json_object(path)
        check_schema(header.get("schema"), SCHEMA, path)
        check_checksum(header, path)
        try:
            self._segments = [int(rows) for rows in header["segments"]]
            self._num_removals = int(header["removals"])
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: expected segments and removals: {error}") from None
        _, arrays = read_array_folder(self.folder / BOOK, BOOK_SCHEMA)
        self._book = CodeBook(arrays["book/centroids"], arrays["book/codewords"])
        self._search = CodeSearch(self._book)
        if self._num_removals:
            folder = self.folder / f"removed-{self._num_removals:06d}"
            self._removed = read_array_folder(folder, REMOVED_SCHEMA)[1]["removed/numbers"]
        for number in range(len(self._segments)):
            self._open_segment(number)

    def _segment_folder(self, number: int) -> Path:
        return self.folder / f"segment-{number:06d}"

    def _open_segment(self, number: int) -> None:
        folder = self._segment_folder(number)
        header = read_header(folder, SEGMENT_SCHEMA)
        path, recorded = listed_file(folder, header, "vectors/vectors")
        lists, codes, text, ends = (
            read_listed_array(folder, header, name)
            for name in ("codes/lists", "codes/codes", "names/text", "names/ends")
        )
        if not len(lists) == len(codes) == len(ends) == self._segments[number]:
            raise FormatError(
                f"{folder} has {len(lists)} vectors, {self._segments[number]} expected"
            )
        numbers = len(self._names) + np.arange(len(lists), dtype=np.int64)
        assert self._search is not None
        self._search.add(lists.astype(np.int64), codes, numbers)
        self._rows.append(ArrayRows(path, {**recorded, "shape": header["shape"]}, max_bytes=0))
        whole = text.tobytes()
        starts = [0, *ends[:-1]]
        self._names += [whole[a:b].decode() for a, b in zip(starts, ends.tolist(), strict=True)]
