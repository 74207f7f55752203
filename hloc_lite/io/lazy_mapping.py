"""Mappings whose values are read when they are asked for, and files that close themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

V = TypeVar("V")


class LazyMapping(Mapping[str, V]):
    """Mapping from names to values that ``_read`` reads on access; the names are known before.

    Args:
        names: unique names, with a fast membership test.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    @abstractmethod
    def _read(self, name: str) -> V:
        """Value of one of the names."""

    def __getitem__(self, name: str) -> V:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # Mapping's own test would read the value


class Closes:
    """Context manager that closes itself at the end of the block."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
