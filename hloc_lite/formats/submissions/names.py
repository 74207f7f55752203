"""Names of images as the benchmarks write them."""

from __future__ import annotations

from collections.abc import Iterable

from hloc_lite.errors import FormatError
from hloc_lite.formats.submissions.forms import NameStyle, SubmissionForm
from hloc_lite.io.image_names import leads_out, normalize_name

_KEY_STYLES = (NameStyle.TIMESTAMP_AND_DEVICE, NameStyle.TWO_TIMESTAMPS)


def site_name(name: str, form: SubmissionForm) -> str:
    """Name in a submission of an image with this path, or of a query with these keys.

    Args:
        name: path of the image relative to any folder above it, or ``timestamp/device``. With zip
            files the group stands first.

    Returns:
        Name with its group, unchanged if it is a site's name already.

    Raises:
        FormatError: the path lacks the folder that the site wants, the keys are no timestamps, or
            it leads out of the image folder.
    """
    if not name or leads_out(name):
        raise FormatError(f"{name[:200]!r} is no path relative to the image folder")
    group, local = split_group(normalize_name(name), form)
    short = _short_name(local, form)
    return f"{group}/{short}" if group else short


def expected_site_name(name: str, form: SubmissionForm) -> str:
    """Like ``site_name``, with the extension that the benchmark uses: lists often have another.

    Raises:
        FormatError: see ``site_name``.
    """
    found = site_name(name, form)
    return with_suffix(found, form.suffix) if form.suffix else found


def site_names(names: Iterable[str], form: SubmissionForm) -> dict[str, str]:
    """Names in a submission by the given names.

    Raises:
        FormatError: see ``site_name``; or two images get the same name.
    """
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        short = site_name(name, form)
        other = owners.setdefault(short, name)
        if other != name:
            raise FormatError(
                f"{other!r} and {name!r} both become {short!r} in a submission to "
                f"{form.data_set}: leave out the one that is no query"
            )
        found[name] = short
    return found


def split_group(name: str, form: SubmissionForm) -> tuple[str, str]:
    """Group (empty without a zip file) and the rest of a name.

    Raises:
        FormatError: the name has no group.
    """
    if form.zip_layout is None:
        return "", name
    group, slash, local = name.partition("/")
    if not slash:
        raise FormatError(f"{name[:200]!r}: expected a name such as GROUP/{form.line_text[:16]}")
    return group, local


def columns_of_name(local_name: str, form: SubmissionForm) -> list[str]:
    """Columns that hold a site's name without its group."""
    return local_name.split("/", form.name_columns - 1)


def with_suffix(name: str, suffix: str) -> str:
    """Name with another extension; all of the basename after its first dot is an extension if
    ``suffix`` has several parts."""
    folder, slash, base = name.rpartition("/")
    stem = base.split(".")[0] if suffix.count(".") > 1 else base.rsplit(".", 1)[0]
    return f"{folder}{slash}{stem}{suffix}"


def is_key(local_name: str, form: SubmissionForm) -> bool:
    """True if a name is ``timestamp/device`` or two timestamps, as the form wants."""
    first, slash, rest = local_name.partition("/")
    is_timestamp = first.isascii() and first.isdigit()
    if form.name_style is NameStyle.TWO_TIMESTAMPS:
        return is_timestamp and rest.isascii() and rest.isdigit()
    return is_timestamp and bool(slash and rest)


def has_keys(form: SubmissionForm) -> bool:
    """True if names are timestamps rather than paths."""
    return form.name_style in _KEY_STYLES


def _short_name(name: str, form: SubmissionForm) -> str:
    parts = name.split("/")
    if has_keys(form):
        if not is_key(name, form):
            raise FormatError(f"{name[:200]!r}: expected {form.name_style.replace('_', ' ')}, "
                              f"joined by a slash, times as whole numbers")  # fmt: skip
        return name
    if form.name_style is NameStyle.BASENAME:
        return parts[-1]
    if form.name_style is NameStyle.FULL_PATH:
        return name
    if form.name_style is NameStyle.PATH_WITHOUT_EXTENSION:
        return name.split(".")[0]
    if len(parts) < 2 or (form.cameras and parts[-2] not in form.cameras):
        folder = f"one of the folders {', '.join(form.cameras)}" if form.cameras else "its folder"
        raise FormatError(f"{name[:200]!r}: {form.data_set} wants {folder} before the file name")
    return "/".join(parts[-2:])
