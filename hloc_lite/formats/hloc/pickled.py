"""Values of a Python pickle, without unpickling: nothing of the file is ever called or imported.

The opcodes are decoded by ``pickletools`` and interpreted here. Only plain values and NumPy arrays
of numbers are built. A few classes become inert records of their state. All else is refused, above
all object arrays and unknown functions. Format: https://docs.python.org/3/library/pickletools.html
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.pickled_values import (
    DataType,
    PickledArray,
    PickledObject,
    Symbol,
    named_symbol,
    numbers_array,
    of_type,
    stands_for,
)
from hloc_lite.io.regular_files import check_regular

MAX_BYTES = 2 << 30
"""Larger files are not read."""
_VALUES = frozenset(
    {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
     "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
     "BYTEARRAY8", "SHORT_BINSTRING", "BINSTRING"}
)  # fmt: skip
"""Operations whose argument is the value. The last two are byte strings of Python 2, which
``pickletools`` decodes as Latin-1."""
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_DAMAGE = (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError, MemoryError)
"""Errors of ``pickletools`` and of opcodes that do not fit together."""


def read_pickle(path: Path, max_bytes: int = MAX_BYTES) -> Any:
    """Return the value of a pickle, built of None, bool, int, float, str, bytes, list, tuple and
    dict with text keys, ``PickledArray`` and ``PickledObject``; scalars of NumPy become numbers.

    Pickles are those of protocols 2 to 5. Byte strings of Python 2 become text, as Latin-1.
    Lists may contain themselves, and one list may occur many times: the caller must expect that.

    Args:
        path: file.
        max_bytes: size of the largest file that is read.

    Raises:
        FormatError: missing, too large, damaged, or with values of other kinds.
    """
    check_regular(path)
    try:
        if path.stat().st_size > max_bytes:
            raise FormatError(f"{path} is larger than {max_bytes >> 20} MiB, the most that is read")
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    return parse_pickle(data, str(path))


def parse_pickle(data: bytes, where: str) -> Any:
    """Return the value of the bytes of a pickle, see ``read_pickle``.

    Raises:
        FormatError: as ``read_pickle``; names ``where`` and the byte.
    """
    machine = _Machine()
    position = 0
    try:
        for opcode, argument, at in pickletools.genops(data):
            position = at or 0
            name = opcode.name
            if name in _VALUES:
                machine.stack.append(_CONSTANTS.get(name, argument))
            elif name == "MEMOIZE":
                machine.memo[len(machine.memo)] = machine.stack[-1]
            elif name == "STOP":
                break
            elif name in _ACTIONS:
                _ACTIONS[name](machine, argument)
            else:
                raise FormatError(f"the pickle operation {name} is refused")
        (value,) = machine.stack
    except FormatError as error:
        raise FormatError(f"{where}, byte {position}: {error}") from None
    except _DAMAGE as error:
        raise FormatError(
            f"{where} is damaged, no pickle, or holds values that are not read; byte {position}: "
            f"{type(error).__name__} {str(error)[:200]}"
        ) from None
    return value


class _Machine:
    """Stack, marks and memo of a pickle that is being read."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def since_mark(self) -> list[Any]:
        """Remove and return the values above the last mark."""
        items, self.stack = self.stack, self.marked.pop()
        return items

    def begin_mark(self) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def pop_tuple(self, count: int) -> None:
        """Replace the last values by a tuple of them."""
        if len(self.stack) < count:
            raise IndexError("a value is missing")
        self.stack[len(self.stack) - count :] = [tuple(self.stack[len(self.stack) - count :])]

    def extend(self, items: list[Any]) -> None:
        of_type(self.stack[-1], list).extend(items)

    def update(self, items: list[Any]) -> None:
        target = of_type(self.stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[of_type(key, str)] = value

    def call(self) -> None:
        """Replace a named function and its arguments by the value that it stands for."""
        arguments, symbol = of_type(self.stack.pop(), tuple), of_type(self.stack.pop(), Symbol)
        self.stack.append(stands_for(symbol, arguments))

    def set_state(self) -> None:
        """Give a state to the value below it."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, PickledObject):
            target.state = state
        elif isinstance(target, PickledArray):
            _, shape, dtype, is_fortran, values = of_type(state, tuple)
            target.array = numbers_array(values, dtype, shape, "F" if is_fortran else "C")
        elif isinstance(target, DataType):
            _, order, *others = of_type(state, tuple)
            if order not in ("<", ">", "|", "=") or any(each is not None for each in others[:3]):
                raise FormatError("an array of other values than plain numbers is refused")
            target.order = order
        else:
            raise FormatError(f"a state for {type(target).__name__} is refused")


def _ignore(_machine: _Machine, _argument: Any) -> None:
    """Pass over the version and the frames."""


def _put(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(named_symbol(module, name))


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _ignore,
    "FRAME": _ignore,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "MARK": lambda machine, _: machine.begin_mark(),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "TUPLE": lambda machine, _: _push_tuple(machine, machine.since_mark()),
    "TUPLE1": lambda machine, _: machine.pop_tuple(1),
    "TUPLE2": lambda machine, _: machine.pop_tuple(2),
    "TUPLE3": lambda machine, _: machine.pop_tuple(3),
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update(_last_two(machine)),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
    "GLOBAL": lambda machine, named: machine.stack.append(named_symbol(*named.split(" ", 1))),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.set_state(),
}


def _push_tuple(machine: _Machine, items: list[Any]) -> None:
    machine.stack.append(tuple(items))


def _last_two(machine: _Machine) -> list[Any]:
    value, key = machine.stack.pop(), machine.stack.pop()
    return [key, value]
