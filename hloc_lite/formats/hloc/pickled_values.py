"""Arrays, numbers and inert records that stand for what a pickle would build by calling code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError

MAX_AXES = 8
_NUMBER = re.compile(r"b1|[iu][1248]|f[248]")


@dataclass(frozen=True)
class Symbol:
    """Function or class that a pickle names."""

    module: str
    name: str


@dataclass(eq=False)
class PickledArray:
    """NumPy array of a pickle."""

    array: np.ndarray[Any, np.dtype[Any]] | None = None
    """None until its values are read; and for an array without any."""


@dataclass(eq=False)
class PickledObject:
    """Object of a pickle that is not built: its class and state only."""

    name: str
    """Name of its class, without the module."""
    arguments: tuple[Any, ...] = ()
    state: Any = None


@dataclass(eq=False)
class DataType:
    code: str
    order: str = "="

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(("" if self.order == "|" else self.order) + self.code)


def of_type(value: Any, kind: type) -> Any:
    """The value, if it is exactly of that type."""
    if type(value) is not kind:
        raise FormatError(f"expected {kind.__name__.strip('_')}, got {type(value).__name__}")
    return value


def named_symbol(module: str, name: str) -> Symbol:
    """Symbol that may be named; imports nothing."""
    symbol = Symbol(of_type(module, str), of_type(name, str))
    if symbol not in _FUNCTIONS and not _is_inert(symbol):
        raise FormatError(
            f"it names {symbol.module[:80]}.{symbol.name[:80]}, which plain values do not; refused"
        )
    return symbol


def _is_inert(symbol: Symbol) -> bool:
    """True for classes that are kept as a record of their state."""
    is_path = symbol.module in ("pathlib", "pathlib._local") and symbol.name.endswith("Path")
    return is_path or symbol.module.split(".")[0] in ("pycolmap", "_pycolmap")


def stands_for(symbol: Symbol, arguments: tuple[Any, ...]) -> Any:
    if _is_inert(symbol):
        return PickledObject(symbol.name, arguments)
    function = _FUNCTIONS[symbol]
    if function is None:
        raise FormatError(f"a call of {symbol.module}.{symbol.name} is refused")
    return function(*arguments)


def _data_type(code: Any, *_: Any) -> DataType:
    if not _NUMBER.fullmatch(of_type(code, str)):
        raise FormatError(f"arrays of the type {code[:40]!r} are refused")
    return DataType(code)


def _new_array(kind: Any, *_: Any) -> PickledArray:
    if kind != Symbol("numpy", "ndarray"):
        raise FormatError("arrays of a class of its own are refused")
    return PickledArray()


def _buffer_array(values: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
    return PickledArray(numbers_array(of_type(values, bytearray), dtype, shape, order))


def _scalar(dtype: Any, values: Any) -> bool | int | float:
    number: bool | int | float
    (number,) = numbers_array(values, dtype, (1,), "C").tolist()
    number = bool(number) if of_type(dtype, DataType).code == "b1" else number
    return number


def _encoded(text: Any, encoding: Any) -> bytes:
    """Bytes that protocol 2 keeps as text."""
    if encoding != "latin1":
        raise FormatError(f"bytes in the encoding {str(encoding)[:40]!r} are refused")
    encoded: bytes = of_type(text, str).encode("latin-1")
    return encoded


def _no_bytes() -> bytes:
    """Empty bytes of protocol 2; any argument is an error."""
    return b""


def numbers_array(
    values: Any, dtype: Any, shape: Any, order: str
) -> np.ndarray[Any, np.dtype[Any]]:
    """Array of the bytes of plain numbers; truth values as bytes."""
    sides = [of_type(side, int) for side in of_type(shape, tuple)]
    if order not in ("C", "F") or len(sides) > MAX_AXES or any(side < 0 for side in sides):
        raise FormatError(f"an array of shape {sides[:9]} is refused")
    if type(values) is str:  # a byte string of Python 2
        values = values.encode("latin-1")
    if type(values) not in (bytes, bytearray):
        raise FormatError(f"an array of {type(values).__name__} is refused")
    kind = of_type(dtype, DataType).numpy()
    # a view: the same bytes may be the values of many arrays
    array = np.frombuffer(values, np.uint8 if kind.kind == "b" else kind)
    return array.reshape(sides, order=order)  # type: ignore[call-overload]


_FUNCTIONS: dict[Symbol, Callable[..., Any] | None] = {
    Symbol("numpy", "dtype"): _data_type,
    Symbol("numpy", "ndarray"): None,
    Symbol("_codecs", "encode"): _encoded,
    Symbol("__builtin__", "bytes"): _no_bytes,
    **{
        Symbol(f"numpy.{core}.multiarray", name): function
        for core in ("core", "_core")  # before and since NumPy 2
        for name, function in (("_reconstruct", _new_array), ("scalar", _scalar))
    },
    Symbol("numpy.core.numeric", "_frombuffer"): _buffer_array,
    Symbol("numpy._core.numeric", "_frombuffer"): _buffer_array,
}
