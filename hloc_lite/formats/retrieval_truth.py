"""Truth of image retrieval by name: which database images are right for a query, and which are left
out of its ranking. Readers of data sets make it, and ``evaluation.retrieval`` scores against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hloc_lite.errors import FormatError
from hloc_lite.io.image_names import SUFFIXES, normalize_name


@dataclass(frozen=True)
class RetrievalTruth:
    """Right and ignored database images of each query."""

    positives: Mapping[str, frozenset[str]]
    """Query -> database images that show the same; possibly none."""
    ignored: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Query -> database images that are taken out of its ranking before it is scored: junk."""
    database: frozenset[str] = frozenset()
    """All database images; empty if the truth does not list them."""

    def __post_init__(self) -> None:
        for query, ignored in self.ignored.items():
            both = ignored & self.positives.get(query, frozenset())
            if both:
                raise FormatError(
                    f"query {query!r}: {min(both)!r} is both a right image and one to ignore"
                )

    @property
    def names(self) -> frozenset[str]:
        """Database images that the truth names."""
        return self.database.union(*self.positives.values(), *self.ignored.values())


class NameLookup:
    """Finds the name that a truth uses for an image.

    Truths of landmarks name images without folder and suffix. A name is looked up as it is, then
    with fewer and fewer of its first folders, each time with and without the suffix of a photo.
    """

    def __init__(self, names: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
        """
        Args:
            names: names of the truth.
            aliases: further name -> name of the truth.
        """
        self._known = {**(aliases or {}), **{name: name for name in names}}
        self._found: dict[str, str | None] = {}

    def find(self, name: str) -> str | None:
        """Name in the truth; None if it has no such image."""
        if name not in self._found:  # rankings name each database image many times
            self._found[name] = self._search(name)
        return self._found[name]

    def _search(self, name: str) -> str | None:
        parts = normalize_name(name).split("/")
        for start in range(len(parts)):
            rest = "/".join(parts[start:])
            for each in (rest, without_suffix(rest)):
                if each in self._known:
                    return self._known[each]
        return None


def without_suffix(name: str) -> str:
    """Image name without the suffix of a photo; other names as they are."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and f".{suffix.lower()}" in SUFFIXES else name


def truth_of_groups(
    groups: Iterable[Sequence[str]], *, queries: Iterable[str], own_image_counts: bool
) -> RetrievalTruth:
    """Truth of images in groups: the others of its group are right for a query.

    Args:
        groups: images that show the same; each image is in one group.
        queries: images that are searched for.
        own_image_counts: True if the query itself is a right image; False to ignore it.
    """
    listed = [frozenset(group) for group in groups]
    group_of = {name: group for group in listed for name in group}
    positives, ignored = {}, {}
    for query in queries:
        own = frozenset() if own_image_counts else frozenset([query])
        positives[query], ignored[query] = group_of[query] - own, own
    return RetrievalTruth(positives, ignored, frozenset(group_of))
