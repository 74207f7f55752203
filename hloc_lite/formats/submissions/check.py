"""Checks a submission before the upload: mistakes by kind, with lines and consequences.

Benchmark sites answer a mistake with zeros or low scores, and allow few uploads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from hloc_lite.errors import ConfigError
from hloc_lite.formats.submissions.containers import read_texts
from hloc_lite.formats.submissions.findings import Finding, FindingKind, Severity
from hloc_lite.formats.submissions.forms import SubmissionForm
from hloc_lite.formats.submissions.line_checks import layout_findings, number_findings
from hloc_lite.formats.submissions.lines import parse_lines
from hloc_lite.formats.submissions.name_checks import group_findings, name_findings
from hloc_lite.formats.submissions.names import expected_site_name
from hloc_lite.formats.submissions.pose_findings import pose_findings
from hloc_lite.scene import SfmModel
from hloc_lite.types import Rigid3


def check_submission(
    path: Path,
    form: SubmissionForm,
    *,
    expected_names: Iterable[str] | None = None,
    map_model: SfmModel | Mapping[str, SfmModel] | None = None,
    truth: Mapping[str, Rigid3] | None = None,
) -> tuple[Finding, ...]:
    """Find the mistakes in a submission; an empty result means that none was found.

    Args:
        path: text or zip file.
        form: see ``forms.SUBMISSION_FORMS``.
        expected_names: all queries, as paths of images or as the site writes them; by default the
            names of the truth, else only the known number of queries is compared.
        map_model: map in the world of the benchmark. With it, inverted poses, centres instead of
            translations, quaternions in another order and other units are found. For zip files of
            several worlds: start of a group's name -> map.
        truth: path of the image -> true pose as ``write_submission`` takes it; finds the same as
            the map, more surely.

    Returns:
        Errors first, then remarks.

    Raises:
        FormatError: the file is missing, unreadable or too large; or an expected name is not in
            the form that the benchmark wants.
        ConfigError: one map for a zip file, or a map for relative poses.
    """
    maps = _maps(map_model, form)
    true_poses = {expected_site_name(name, form): pose for name, pose in (truth or {}).items()}
    expected = dict.fromkeys(true_poses) if truth is not None else None
    if expected_names is not None:
        expected = dict.fromkeys(expected_site_name(name, form) for name in expected_names)
    texts = read_texts(path, form)
    lines = parse_lines(texts.texts, form)
    findings = [*texts.findings, *layout_findings(lines, form)]
    if not lines.names and not findings:
        findings.append(Finding(
            severity=Severity.ERROR, kind=FindingKind.EMPTY_FILE, message="it has no poses."
        ))  # fmt: skip
    if lines.names:
        found, actual_form, is_pose = number_findings(lines, form)
        findings += found
        findings += name_findings(lines, form, expected)
        findings += group_findings(lines, [group for _, group, _ in texts.texts], expected)
        if FindingKind.ALL_POSES_EQUAL not in {finding.kind for finding in found}:
            findings += pose_findings(lines, actual_form, is_pose, maps, true_poses)
    return tuple(sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR))


def _maps(
    map_model: SfmModel | Mapping[str, SfmModel] | None, form: SubmissionForm
) -> Mapping[str, SfmModel]:
    """Map by the start of the group's name."""
    if map_model is None:
        return {}
    if form.is_relative:
        raise ConfigError(f"poses of {form.data_set} are relative: a map cannot check them")
    if not isinstance(map_model, SfmModel):
        return map_model
    if form.zip_layout is not None:
        raise ConfigError(
            f"a submission to {form.data_set} has poses in several maps: expected a map for each "
            f"start of a file name, got one map"
        )
    return {"": map_model}
