"""Finds out which query a name in a submission means, though it may be written wrongly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hloc_lite.formats.submissions.findings import FindingKind
from hloc_lite.formats.submissions.forms import NameStyle, SubmissionForm
from hloc_lite.formats.submissions.names import has_keys, is_key, with_suffix


@dataclass(frozen=True)
class NameReading:
    """A name as written, what is wrong with it, and the query that is most likely meant."""

    written: str
    meant: str
    """With its group; ``written`` if that is unknown."""
    problems: tuple[FindingKind, ...]


class NameReader:
    """Finds the query that a name most likely means."""

    def __init__(self, form: SubmissionForm, expected: Collection[str] | None) -> None:
        self._form = form
        self._expected = None if expected is None else frozenset(expected)
        by_tail: dict[str, set[str]] = defaultdict(set)
        for name in self._expected or ():
            for tail in _tails(name):
                by_tail[tail].add(name)
        self._by_tail: Mapping[str, set[str]] = by_tail

    def read(self, name: str) -> NameReading:
        """Image that a name, with its group, most likely means."""
        if self._expected is not None and name in self._expected:
            return NameReading(name, name, ())
        group, slash, local = name.partition("/") if self._form.zip_layout else ("", "", name)
        problems, meant = _by_pattern(local, self._form)
        meant = f"{group}{slash}{meant}"
        if self._expected is None or meant in self._expected:
            return NameReading(name, meant, problems)
        return self._by_expected(name, meant, problems)

    def _by_expected(self, name: str, meant: str, problems: tuple[FindingKind, ...]) -> NameReading:
        """Find the one query whose path ends like the name, or that the name ends like."""
        # timestamps and devices have no extensions, and each part counts
        for tail in () if has_keys(self._form) else _tails(meant):
            found = self._by_tail.get(tail, set())
            if len(found) != 1:
                continue
            (query,) = found
            found_problems = problems or _difference(meant, query)
            if found_problems:
                return NameReading(name, query, found_problems)
        if FindingKind.NAME_FORM in problems:
            return NameReading(name, meant, problems)
        return NameReading(name, meant, (*problems, FindingKind.UNKNOWN_NAMES))


def _tails(name: str) -> list[str]:
    """Name, and its basename, both also without extension."""
    folder, slash, base = name.rpartition("/")
    stem = base.split(".")[0]
    return list(dict.fromkeys([name, f"{folder}{slash}{stem}", base, stem]))


def _difference(name: str, query: str) -> tuple[FindingKind, ...]:
    """Faults of a name that means this query; empty if it is another image's."""
    num_name, num_query = name.count("/"), query.count("/")
    problems = []
    if name.rpartition("/")[2] != query.rpartition("/")[2]:
        problems.append(FindingKind.WRONG_EXTENSION)
    if num_name < num_query:
        problems.append(FindingKind.MISSING_PREFIX)
    elif num_name > num_query:
        problems.append(FindingKind.FULL_PATH)
    elif name.rpartition("/")[0] != query.rpartition("/")[0]:
        return ()
    return tuple(problems)


def _by_pattern(name: str, form: SubmissionForm) -> tuple[tuple[FindingKind, ...], str]:
    """Problems of a name that can be seen without the list of queries, and what it means."""
    if "\\" in name:
        return (FindingKind.NAME_FORM,), _by_pattern(name.replace("\\", "/"), form)[1]
    if has_keys(form):
        return (() if is_key(name, form) else (FindingKind.NAME_FORM,)), name
    parts = name.split("/")
    problems: list[FindingKind] = []
    meant = name
    if form.name_style is NameStyle.BASENAME:
        problems += [FindingKind.FULL_PATH] if len(parts) > 1 else []
        meant = parts[-1]
    elif form.name_style is NameStyle.LAST_TWO_PARTS:
        problems += _folder_problem(parts, form)
        meant = "/".join(parts[-2:])
    elif len(parts) == 1:
        problems.append(FindingKind.MISSING_PREFIX)
    if form.name_style is NameStyle.PATH_WITHOUT_EXTENSION and "." in name:
        return (*problems, FindingKind.WRONG_EXTENSION), meant.split(".")[0]
    if form.suffix and not meant.endswith(form.suffix):
        problems.append(FindingKind.WRONG_EXTENSION)
        meant = with_suffix(meant, form.suffix)
    return tuple(problems), meant


def _folder_problem(parts: Sequence[str], form: SubmissionForm) -> list[FindingKind]:
    if any(part in form.conditions for part in parts[:-1]):
        return [FindingKind.CONDITION_IN_NAME]
    if len(parts) == 1:
        return [FindingKind.MISSING_PREFIX]
    if len(parts) > 2:
        return [FindingKind.FULL_PATH]
    is_known = not form.cameras or parts[0] in form.cameras
    return [] if is_known else [FindingKind.UNKNOWN_CAMERA]
