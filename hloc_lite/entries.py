"""Tables of named implementations: built in, registered in this process, or from other packages.

Another package adds a name by an entry point; nothing is imported until the name is used:

    [project.entry-points."hloc_lite.features"]
    my-feature = "my_package:ENTRY"

``ENTRY`` is a ``FeatureEntry``, or the class itself if the defaults of ``FeatureEntry`` fit.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module, metadata
from typing import Any, Generic, TypeVar

from hloc_lite.errors import ConfigError, PluginError, UnknownNameError

Factory = Callable[..., Any]
"""Called with (name, config section, ``Runtime``): one class may serve several names."""


@dataclass(frozen=True)
class Entry:
    """One named implementation."""

    factory: str | Factory
    """``module:Class``, imported at first use, or the class itself."""
    weights: tuple[str, ...] = ()
    """Weights that it needs, by the names of ``hloc-lite weights list``."""


@dataclass(frozen=True)
class FeatureEntry(Entry):
    """A local feature."""

    default_matcher: str = "mutual-nn"
    """Matcher that ``matching.name = auto`` stands for."""
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Tuned config defaults: section -> key -> value. Profile, file and settings win."""


@dataclass(frozen=True)
class MatcherEntry(Entry):
    """A matcher of local features."""

    is_learned: bool = False
    """True for networks, whose inliers prove less than those of nearest neighbours."""
    features: tuple[str, ...] = ()
    """Features that it was trained for; empty: it matches all features."""
    takes_photos: bool = False
    """True for those of this package that match photos and find keypoints themselves
    (``PairMatcher``); of other packages, the class tells (``models.takes_photos``)."""

    def matches(self, features: str) -> bool:
        """True if it can match these features."""
        return not self.features or features in self.features


@dataclass(frozen=True)
class EstimatorEntry(Entry):
    """A pose estimator."""

    rig_factory: str | Factory | None = None
    """The same estimator for rigs of cameras; None if it has none."""


E = TypeVar("E", bound=Entry)
T = TypeVar("T")


class Table(Mapping[str, E], Generic[E]):
    """Name -> entry of one role. A name that ends in a colon stands for all that start with it.

    Args:
        role: for messages, e.g. ``feature``.
        group: group of the entry points of other packages.
        entry_type: class of the entries; a bare factory becomes one with its defaults.
        builtin: entries of this package; other packages cannot replace them.
    """

    def __init__(
        self, role: str, group: str, entry_type: type[E], builtin: Mapping[str, E]
    ) -> None:
        self.role, self.group = role, group
        self._entry_type = entry_type
        self.builtin = dict(builtin)
        self.registered: dict[str, E] = {}

    def __getitem__(self, name: str) -> E:
        for own in (self.builtin, self.registered):
            if name in own:
                return own[name]
        return self._load(self.entry_points()[name])

    def __contains__(self, name: object) -> bool:
        # other packages are asked last: reading their metadata takes a tenth of a second
        return name in self.builtin or name in self.registered or name in self.entry_points()

    def __iter__(self) -> Iterator[str]:
        yield from {**self.builtin, **self.registered, **self.entry_points()}

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def register(self, name: str, entry: E | Factory) -> ExitStack:
        """Add a name in this process, until the returned stack is closed (or left as a context).

        Raises:
            ConfigError: the name is taken.
        """
        if name in self:
            raise ConfigError(f"{self.role} {name!r} exists already; register another name")
        self.registered[name] = self._as_entry(entry, f"{self.role} {name!r}")
        undo = ExitStack()
        undo.callback(partial(self.registered.pop, name, None))
        return undo

    def entry_points(self) -> dict[str, metadata.EntryPoint]:
        """Name -> entry point of the installed packages that add to this table.

        Raises:
            PluginError: two packages add one name, or a package adds a built-in one.
        """
        found: dict[str, metadata.EntryPoint] = {}
        for point in metadata.entry_points(group=self.group):
            if point.name in self.builtin or point.name in found:
                others = (
                    "hloc_lite" if point.name in self.builtin else package_of(found[point.name])
                )
                raise PluginError(
                    f"the package {package_of(point)} adds the {self.role} {point.name!r}, which "
                    f"{others} has already; uninstall one of them, or ask its authors for another "
                    f"name"
                )
            found[point.name] = point
        return found

    def _load(self, point: metadata.EntryPoint) -> E:
        what = f"{self.role} {point.name!r} of the package {package_of(point)}"
        try:
            loaded = point.load()
        except Exception as error:
            raise PluginError(
                f"{what} cannot be loaded: {type(error).__name__}: {error}. Upgrade or uninstall "
                f"that package"
            ) from error
        return self._as_entry(loaded, what)

    def _as_entry(self, value: E | Factory, what: str) -> E:
        if isinstance(value, self._entry_type):
            return value
        if callable(value):
            return self._entry_type(value)
        raise PluginError(
            f"{what}: expected a {self._entry_type.__name__} or a class, got {value!r}"
        )


def find(table: Mapping[str, T], name: str) -> T | None:
    """Entry of a name, or of its prefix before a colon; None if unknown."""
    prefix, colon, rest = name.partition(":")
    # ``get`` reads the metadata of other packages once, ``in`` with a look-up twice
    if colon and rest and (entry := table.get(prefix + colon)) is not None:
        return entry
    return None if name.endswith(":") else table.get(name)


def lookup(table: Mapping[str, T], name: str) -> T:
    """Entry of a name.

    Raises:
        UnknownNameError: with all known names, and the nearest one.
    """
    found = find(table, name)
    if found is not None:
        return found
    if name in table:
        raise UnknownNameError(f"{name!r} needs a folder or a model after the colon")
    near = difflib.get_close_matches(name, table, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownNameError(f"unknown name {name!r}; known are {', '.join(sorted(table))}.{hint}")


def load_factory(factory: str | Factory) -> Factory:
    """Import a factory that is given as ``module:Class``."""
    if not isinstance(factory, str):
        return factory
    module_name, class_name = factory.split(":")
    loaded: Factory = getattr(import_module(module_name), class_name)
    return loaded


def package_of(point: metadata.EntryPoint) -> str:
    """Name and version of the package that declares an entry point."""
    return "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
