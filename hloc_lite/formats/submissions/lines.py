"""Lines of submissions: forgiving parser, which keeps what is wrong as a value, and formatter."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hloc_lite.formats.submissions.findings import FindingKind, Location
from hloc_lite.formats.submissions.forms import NUM_COVARIANCE, SubmissionForm
from hloc_lite.formats.submissions.names import columns_of_name
from hloc_lite.types import Float64, freeze_field


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseLines:
    """All readable lines of a submission, of all its text files."""

    names: tuple[str, ...]
    """Names as written, with the group of the file before them."""
    values: Float64
    """(N, C) numbers in the order of ``SubmissionForm.numbers``; a missing confidence is NaN."""
    locations: tuple[Location, ...]
    lost_names: tuple[str, ...]
    """First columns of lines that cannot be read."""
    complaints: Mapping[FindingKind, tuple[Location, ...]]
    """Lines that are not as the form wants them, by what is wrong."""
    examples: Mapping[FindingKind, str]
    """First line of each complaint."""

    def __post_init__(self) -> None:
        freeze_field(self, "values", np.float64, len(self.names), None)


@dataclass
class _Collector:
    """Lines found so far."""

    names: list[str] = field(default_factory=list)
    values: array[float] = field(default_factory=lambda: array("d"))
    locations: list[Location] = field(default_factory=list)
    lost_names: list[str] = field(default_factory=list)
    complaints: dict[FindingKind, list[Location]] = field(default_factory=dict)
    examples: dict[FindingKind, str] = field(default_factory=dict)

    def complain(self, kind: FindingKind, location: Location, line: str) -> None:
        self.complaints.setdefault(kind, []).append(location)
        self.examples.setdefault(kind, line)


def parse_lines(texts: Iterable[tuple[str, str, str]], form: SubmissionForm) -> PoseLines:
    """Parse the text files of a submission. Nothing is refused; empty lines are skipped.

    Args:
        texts: file name for messages, group of its queries (may be empty), and its text.
    """
    found = _Collector()
    for file, group, text in texts:
        prefix = f"{group}/" if group else ""
        is_first = True
        for number, raw in enumerate(_split(text), start=1):
            line = raw.strip()
            if line:
                _parse_line(line, Location(file, number), prefix, is_first, form, found)
                is_first = False
    shape = (len(found.names), len(form.numbers))
    return PoseLines(
        names=tuple(found.names),
        values=np.array(found.values, np.float64).reshape(shape),
        locations=tuple(found.locations),
        lost_names=tuple(found.lost_names),
        complaints={kind: tuple(locations) for kind, locations in found.complaints.items()},
        examples=found.examples,
    )


def _split(text: str) -> Iterator[str]:
    """Lines of a text one by one: a list of them takes more memory than the text."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _parse_line(
    line: str,
    location: Location,
    prefix: str,
    is_first: bool,
    form: SubmissionForm,
    found: _Collector,
) -> None:
    if line.startswith("#"):
        if not form.allows_comments:
            found.complain(FindingKind.HEADER, location, line)
        return
    words, kind = _columns(line, form)
    if is_first and _is_header(words, form):
        found.complain(FindingKind.HEADER, location, line)
        return
    if kind is not None:
        found.complain(kind, location, line)
    name = prefix + "/".join(words[: form.name_columns])
    numbers = words[form.name_columns :]
    wanted = len(form.numbers)
    if form.has_confidence and len(numbers) == wanted - 1:
        found.complain(FindingKind.CONFIDENCE_MISSING, location, line)
        numbers = [*numbers, "nan"]
    if form.allows_covariance and len(numbers) == wanted + NUM_COVARIANCE:
        numbers = numbers[:wanted]
    if len(numbers) != wanted:
        found.complain(FindingKind.WRONG_COLUMNS, location, line)
        found.lost_names.append(name)
        return
    values = _numbers(numbers)
    if values is None:
        found.complain(FindingKind.UNREADABLE_LINE, location, line)
        found.lost_names.append(name)
        return
    found.names.append(name)
    found.values.extend(values)
    found.locations.append(location)


def _columns(line: str, form: SubmissionForm) -> tuple[list[str], FindingKind | None]:
    """Columns of a line, and SEPARATOR if they are separated in another way than the form says."""
    if form.separator.strip():
        words = [word.strip() for word in line.split(form.separator.strip())]
        return (words, None) if len(words) > 1 else (line.split(), FindingKind.SEPARATOR)
    words = line.split()
    if "," not in line and ";" not in line:
        return words, None
    numbers = words[form.name_columns :]
    if len(words) == form.num_columns and _numbers(numbers) is not None:
        return words, None  # a comma in the name
    with_points = [word.replace(",", ".") for word in numbers]
    if len(words) == form.num_columns and _numbers(with_points) is not None:
        return [*words[: form.name_columns], *with_points], FindingKind.SEPARATOR
    split = [word for word in re.split(r"[,;\s]+", line) if word]
    if _numbers(split[form.name_columns :]) is not None:
        return split, FindingKind.SEPARATOR
    return words, None


def _is_header(words: Sequence[str], form: SubmissionForm) -> bool:
    """True for column titles: no word after the name is a number."""
    rest = words[form.name_columns :]
    return len(rest) > 1 and all(_numbers([word]) is None for word in rest)


def _numbers(words: Sequence[str]) -> list[float] | None:
    """Values of the words, NaN and infinities among them; None if one is no number."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        return None
    # Python reads 1_000 and digits of other scripts, sites do not
    joined = "".join(words)
    return values if joined.isascii() and "_" not in joined else None


def format_line(local_name: str, values: Sequence[float], form: SubmissionForm) -> str:
    """A line without its line feed.

    Args:
        local_name: a site's name without its group.
        values: in the order of ``SubmissionForm.numbers``.
    """
    numbers = [
        form.number_format % value if form.number_format else repr(float(value)) for value in values
    ]
    return form.separator.join([*columns_of_name(local_name, form), *numbers])
