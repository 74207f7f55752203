"""Old names of this package: they work until version 0.4, with a ``DeprecationWarning``.

Modules of the package that still have names under old paths:

- ``mapping.map``: ``Map``
- ``io.colmap_model``: ``read_model``, ``write_model``
- ``io.poses``: ``parse_camera``, ``read_poses``, ``write_poses``, ``read_queries``, ...
- ``registry``: ``RIG_ESTIMATORS``, ``DEFAULT_MATCHER``, ``MATCHER_FEATURES``, ``check_matcher``,
  ``PoseEstimate``, ``DepthJudge`` and the protocol classes, e.g. ``FeatureExtractor``
- ``config``: ``FEATURE_DEFAULTS``
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

REMOVED_IN = "0.4"

F = TypeVar("F", bound=Callable[..., Any])


def warn_renamed(old: str, new: str, stacklevel: int = 2) -> None:
    """Warn that a name has changed.

    Args:
        stacklevel: as for ``warnings.warn``; 2 is the caller of the function that calls this one.
    """
    warnings.warn(
        f"{old} is renamed to {new}; the old name will be removed in hloc_lite {REMOVED_IN}",
        DeprecationWarning,
        stacklevel=stacklevel + 1,
    )


def deprecated_names(
    module: str, names: Mapping[str, str | Callable[[], Any]], hints: Mapping[str, str] = {}
) -> Callable[[str], Any]:
    """Make a module's ``__getattr__`` that resolves its old names.

    Args:
        module: ``__name__`` of the module.
        names: old name -> ``new.module:name``, or a function that computes the old value.
        hints: old name -> what to use instead, for those that are computed.
    """

    def module_getattr(name: str) -> Any:
        target = names.get(name)
        if target is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if not isinstance(target, str):
            warn_renamed(f"{module}.{name}", hints[name])
            return target()
        new_module, new_name = target.split(":")
        warn_renamed(f"{module}.{name}", f"{new_module}.{new_name}")
        return getattr(import_module(new_module), new_name)

    return module_getattr


def renamed_argument(old: str, new: str) -> Callable[[F], F]:
    """Decorate a function whose keyword argument has a new name; the old one is still accepted.

    Calls with both names raise ``TypeError``.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_old_argument(*args: Any, **kwargs: Any) -> Any:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(
                        f"{function.__qualname__}() got both {new!r} and its old name {old!r}"
                    )
                warn_renamed(f"argument {old!r} of {function.__qualname__}()", repr(new))
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return with_old_argument  # type: ignore[return-value]

    return decorate
