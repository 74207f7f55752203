"""Checks of the names in a submission, with and without the list of the queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from hloc_lite.errors import counted
from hloc_lite.formats.submissions.findings import (
    Finding,
    FindingKind,
    Location,
    Severity,
    line_finding,
    some,
)
from hloc_lite.formats.submissions.forms import NameStyle, SubmissionForm
from hloc_lite.formats.submissions.lines import PoseLines
from hloc_lite.formats.submissions.name_reader import NameReader, NameReading


def name_findings(
    lines: PoseLines, form: SubmissionForm, expected: Collection[str] | None
) -> list[Finding]:
    """Findings on names: their form, unknown, double and missing ones.

    Args:
        expected: names of all queries in the form of the site; None if unknown.
    """
    read = NameReader(form, expected).read
    readings = [read(name) for name in lines.names]
    meant = [reading.meant for reading in readings]
    findings = _problem_findings(readings, lines.locations, form, expected)
    doubles = {name for name, count in Counter(meant).items() if count > 1}
    if doubles:
        locations = [
            location
            for name, location in zip(meant, lines.locations, strict=True)
            if name in doubles
        ]
        first = some([name for name in dict.fromkeys(meant) if name in doubles])
        what = f"{counted(len(doubles), 'name')} in more than one line: {first}"
        findings.append(line_finding(FindingKind.DOUBLE_NAMES, locations, what))
    # lines that cannot be read are findings of their own: their queries are not missing, too
    present = {*meant, *(read(name).meant for name in lines.lost_names)}
    if expected is None:
        return findings + _count_findings(present, form, len(lines.lost_names))
    groups = {_group(name) for name in present} if form.zip_layout else None
    missing = [
        name
        for name in dict.fromkeys(expected)
        if name not in present and (groups is None or _group(name) in groups)
    ]
    return findings + _missing_findings(missing, present, expected, form)


def group_findings(
    lines: PoseLines, groups: Sequence[str], expected: Collection[str] | None
) -> list[Finding]:
    """Remark on files of a zip that have no line with a pose.

    Args:
        groups: groups of queries that have a file; empty names count as none.
        expected: names of all queries in the form of the site; None if unknown.
    """
    present = {_group(name) for name in (*lines.names, *lines.lost_names)}
    empty = [group for group in groups if group and group not in present]
    if not empty:
        return []
    count = sum(_group(name) in empty for name in expected or ())
    queries = f" ({counted(count, 'expected pose')})" if count else ""
    return [
        Finding(
            severity=Severity.REMARK, kind=FindingKind.MISSING_GROUP, count=len(empty),
            message=f"{counted(len(empty), 'file')} without poses: {', '.join(empty)}{queries}.",
        )
    ]  # fmt: skip


def _problem_findings(
    readings: Sequence[NameReading],
    locations: Sequence[Location],
    form: SubmissionForm,
    expected: Collection[str] | None,
) -> list[Finding]:
    by_kind: dict[FindingKind, list[int]] = defaultdict(list)
    for row, reading in enumerate(readings):
        for kind in reading.problems:
            by_kind[kind].append(row)
    cameras = " or ".join(form.cameras)
    folder = f"the camera ({cameras})" if cameras else "a folder"
    texts = {
        FindingKind.FULL_PATH: "more folders than the benchmark wants",
        FindingKind.MISSING_PREFIX: f"{folder} is missing before the file name",
        FindingKind.UNKNOWN_CAMERA: f"expected the camera ({cameras}) before the file name",
        FindingKind.CONDITION_IN_NAME: "the condition does not belong into the name",
        FindingKind.WRONG_EXTENSION: "expected names without an extension"
        if form.name_style is NameStyle.PATH_WITHOUT_EXTENSION
        else f"expected another extension{f', {form.suffix}' if form.suffix else ''}",
        FindingKind.NAME_FORM: f"expected {form.name_style.replace('_', ' ')}",
        FindingKind.UNKNOWN_NAMES: f"none of the {len(expected or ())} queries has such a name",
    }
    findings = []
    for kind, rows in by_kind.items():
        names = some([readings[row].written for row in rows])
        what = f"{texts[kind]}; got {names}"
        is_remark = kind is FindingKind.UNKNOWN_NAMES and len(rows) < len(readings) / 2
        severity = Severity.REMARK if is_remark else Severity.ERROR
        findings.append(line_finding(kind, [locations[row] for row in rows], what, severity))
    return findings


def _camera(name: str) -> str:
    """First folder of a name, where it is the camera."""
    return name.partition("/")[0]


def _group(name: str) -> str:
    """First folder of a name, where it is the group of queries."""
    return name.partition("/")[0]


def _missing_findings(
    missing: Sequence[str], present: Collection[str], expected: Iterable[str], form: SubmissionForm
) -> list[Finding]:
    absent = _absent_cameras(present, form, {_camera(name) for name in expected})
    gone = [name for name in missing if _camera(name) not in absent]
    findings = _absence_findings(absent, len(missing) - len(gone))
    if gone:
        found = len(set(expected)) - len(missing)
        message = (
            f"{counted(len(gone), 'name')} of {len(set(expected))} queries missing: {some(gone)}."
        )
        severity = Severity.REMARK if len(gone) <= found else Severity.ERROR
        findings.append(Finding(
            severity=severity, kind=FindingKind.MISSING_NAMES, message=message, count=len(gone)
        ))  # fmt: skip
    return findings


def _count_findings(present: Collection[str], form: SubmissionForm, lost: int) -> list[Finding]:
    """Compare the number of names with what is known of the data set."""
    absent = _absent_cameras(present, form, form.cameras)
    per_camera = (form.num_queries or 0) // max(len(form.cameras), 1)
    findings = _absence_findings(absent, per_camera * len(absent))
    wanted = None if form.num_queries is None else form.num_queries - per_camera * len(absent)
    if form.cameras and not any(_camera(name) in form.cameras for name in present):
        return findings  # names without cameras are a finding of their own
    limit = form.max_queries if wanted is None else wanted
    if limit is not None and len(present) > limit:
        findings.append(Finding(
            severity=Severity.ERROR, kind=FindingKind.TOO_MANY_NAMES, count=len(present) - limit,
            message=f"{len(present)} names, but {form.data_set} has at most {limit} queries.",
        ))  # fmt: skip
    if wanted is not None and len(present) < wanted and not lost:
        findings.append(Finding(
            severity=Severity.REMARK, kind=FindingKind.MISSING_NAMES, count=wanted - len(present),
            message=f"{len(present)} names, but {form.data_set} has {wanted} queries"
            f"{' of these cameras' if absent else ''}.",
        ))  # fmt: skip
    return findings


def _absent_cameras(
    present: Collection[str], form: SubmissionForm, wanted: Iterable[str]
) -> list[str]:
    """Cameras that no name has, if another one is there."""
    found = {_camera(name) for name in present} & set(form.cameras)
    return [camera for camera in form.cameras if found and camera in {*wanted} - found]


def _absence_findings(absent: Sequence[str], count: int) -> list[Finding]:
    if not absent:
        return []
    verb = "is" if len(absent) == 1 else "are"
    return [
        Finding(
            severity=Severity.REMARK, kind=FindingKind.MISSING_CAMERA, count=count,
            message=f"{' and '.join(absent)} {verb} absent.",
        )
    ]  # fmt: skip
