"""Layout of the files that localization benchmarks accept, by data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto

from hloc_lite.errors import UnknownNameError


class NameStyle(StrEnum):
    """Names that a benchmark gives to images."""

    BASENAME = auto()
    """``IMG_1.jpg``, without folders."""
    LAST_TWO_PARTS = auto()
    """``rear/1.jpg``: the file and the folder that it lies in."""
    FULL_PATH = auto()
    """Path relative to the image folder."""
    PATH_WITHOUT_EXTENSION = auto()
    """Path that is cut at its first dot."""
    TIMESTAMP_AND_DEVICE = auto()
    """``timestamp/device``; the device may be a rig."""
    TWO_TIMESTAMPS = auto()
    """``reference timestamp/query timestamp``."""


class Direction(StrEnum):
    """Meaning of the rotation and the three position numbers of a line mean."""

    CAM_FROM_WORLD = auto()
    """World to camera: x_cam = R x_world + t."""
    WORLD_FROM_CAM = auto()
    """Camera (or rig) to world; the position is the camera centre."""


WXYZ_FIRST = ("qw", "qx", "qy", "qz", "tx", "ty", "tz")
"""Numbers of a line of most benchmarks, in their order."""
XYZW_LAST = ("tx", "ty", "tz", "qx", "qy", "qz", "qw")
"""Numbers of a line as SLAM tools write them."""
NUM_COVARIANCE = 36
"""Numbers of a row-major (6, 6) covariance, which LaMAR's trajectories may add."""


@dataclass(frozen=True, kw_only=True)
class ZipLayout:
    """Zip file with a text file per group of queries (a scene, or a location and a device)."""

    file_of_group: str
    """Text file of a group, such as ``pose_{}.txt``."""
    group_pattern: str
    """Regular expression that the whole name of a group matches."""
    groups: tuple[str, ...] = ()
    """Names of all groups, if they are known."""
    needs_all_groups: bool = False
    """True if a missing group is an error, False if it is worth a remark only."""
    counts: tuple[int, ...] = ()
    """Numbers of groups that a whole submission may have; empty if unknown."""
    description_file: str = ""
    """Text file with the description of the method; empty if there is none."""

    def file_name(self, group: str) -> str:
        """File of a group in the zip file."""
        return self.file_of_group.format(group)


@dataclass(frozen=True, kw_only=True)
class SubmissionForm:
    """Layout of the submission to one benchmark.

    In zip files, names start with their group: ``CAB_query_phone/1234/device``.
    """

    data_set: str
    name_style: NameStyle
    direction: Direction = Direction.CAM_FROM_WORLD
    numbers: tuple[str, ...] = WXYZ_FIRST
    """Numbers of a line after the name, in order."""
    separator: str = " "
    name_columns: int = 1
    """Columns that the name fills; its parts before the last column contain no slash."""
    number_format: str = ""
    """printf format of numbers; empty: as many digits as are needed to restore the value."""
    allows_comments: bool = False
    """True if lines may start with '#'."""
    allows_covariance: bool = False
    """True if ``NUM_COVARIANCE`` more numbers may follow."""
    suffix: str = ""
    """End of all names; empty if unknown, or if names have no extension."""
    cameras: tuple[str, ...] = ()
    """Folders that may stand before the basename; empty if there are none."""
    conditions: tuple[str, ...] = ()
    """Folders of the images that must not be in names."""
    num_queries: int | None = None
    """Number of all queries; None if unknown."""
    max_queries: int | None = None
    """Number that the queries do not exceed, if only that is known."""
    is_relative: bool = False
    """True if poses are relative to a reference image, not to the world of a map."""
    zip_layout: ZipLayout | None = None
    """None for a single text file."""

    @property
    def has_confidence(self) -> bool:
        """True if a line ends with the confidence of its pose."""
        return "confidence" in self.numbers

    @property
    def num_columns(self) -> int:
        """Columns of a line, with the name."""
        return self.name_columns + len(self.numbers)

    @property
    def line_text(self) -> str:
        """A line in words, for messages."""
        names = {
            NameStyle.TIMESTAMP_AND_DEVICE: ("timestamp", "device"),
            NameStyle.TWO_TIMESTAMPS: ("reference_timestamp", "query_timestamp"),
        }.get(self.name_style, ("name",))
        name = "/".join(names) if self.name_columns == 1 else self.separator.join(names)
        return self.separator.join([name, *self.numbers])


_CONDITIONS = (
    "dawn", "dusk", "night", "night-rain", "overcast-reference", "overcast-summer",
    "overcast-winter", "rain", "snow", "sun",
)  # fmt: skip


def _session_groups(locations: str, devices: str) -> tuple[str, ...]:
    return tuple(
        f"{location}_query_{kind}" for location in locations.split() for kind in devices.split()
    )


def _capture_form(data_set: str, groups: tuple[str, ...], needs_all_groups: bool) -> SubmissionForm:
    """Form of LaMAR and CroCoDL: trajectories (sensor or rig to world) of capture sessions.

    Format: ``CAPTURE.md`` of the LaMAR code.
    """
    return SubmissionForm(
        data_set=data_set,
        name_style=NameStyle.TIMESTAMP_AND_DEVICE,
        direction=Direction.WORLD_FROM_CAM,
        separator=", ",
        name_columns=2,
        allows_comments=True,
        allows_covariance=True,
        zip_layout=ZipLayout(
            file_of_group="{}.txt",
            group_pattern="|".join(groups),
            groups=groups,
            needs_all_groups=needs_all_groups,
            description_file="description.txt",
        ),
    )


_FORMS = (
    SubmissionForm(
        data_set="aachen", name_style=NameStyle.BASENAME, suffix=".jpg", num_queries=922
    ),
    SubmissionForm(
        data_set="aachen-v1.1", name_style=NameStyle.BASENAME, suffix=".jpg", num_queries=1015
    ),
    SubmissionForm(
        data_set="robotcar", name_style=NameStyle.LAST_TWO_PARTS, suffix=".jpg",
        cameras=("left", "rear", "right"), conditions=_CONDITIONS, num_queries=11934,
    ),
    # truth of the second version exists for the rear camera only, in part of the queries
    SubmissionForm(
        data_set="robotcar-v2", name_style=NameStyle.LAST_TWO_PARTS, suffix=".jpg",
        cameras=("rear",), conditions=_CONDITIONS, max_queries=3977,
    ),
    SubmissionForm(data_set="cmu", name_style=NameStyle.BASENAME, suffix=".jpg"),
    SubmissionForm(
        data_set="inloc", name_style=NameStyle.BASENAME, suffix=".JPG", num_queries=356,
        number_format="%.10g",
    ),
    SubmissionForm(
        data_set="7scenes", name_style=NameStyle.LAST_TWO_PARTS, suffix=".color.png"
    ),
    SubmissionForm(
        data_set="12scenes", name_style=NameStyle.LAST_TWO_PARTS, suffix=".color.jpg"
    ),
    SubmissionForm(data_set="cambridge", name_style=NameStyle.LAST_TWO_PARTS, suffix=".png"),
    SubmissionForm(data_set="gangnam", name_style=NameStyle.FULL_PATH),
    SubmissionForm(data_set="hyundai", name_style=NameStyle.FULL_PATH),
    SubmissionForm(data_set="eth-microsoft", name_style=NameStyle.TIMESTAMP_AND_DEVICE),
    SubmissionForm(
        data_set="rio10", name_style=NameStyle.PATH_WITHOUT_EXTENSION,
        direction=Direction.WORLD_FROM_CAM,
    ),
    # query_from_reference, hloc's 4Seasons pipeline
    SubmissionForm(
        data_set="4seasons", name_style=NameStyle.TWO_TIMESTAMPS, numbers=XYZW_LAST,
        name_columns=2, is_relative=True,
    ),
    _capture_form("lamar", _session_groups("CAB HGE LIN", "phone hololens"), True),
    _capture_form(
        "crocodl",
        _session_groups(
            "HYDRO SUCCULENT ARCHE_GRANDE DESIGN ARCHE_D2 ARCHE_B3 ARCHE_B5", "spot hololens phone"
        ),
        False,
    ),
    SubmissionForm(data_set="silda", name_style=NameStyle.BASENAME, suffix=".png"),
    SubmissionForm(
        data_set="mapfree", name_style=NameStyle.LAST_TWO_PARTS, suffix=".jpg",
        numbers=(*WXYZ_FIRST, "confidence"), is_relative=True,
        zip_layout=ZipLayout(
            file_of_group="pose_{}.txt", group_pattern=r"s[0-9]{5}", counts=(65, 130)
        ),
    ),
)  # fmt: skip

SUBMISSION_FORMS: Mapping[str, SubmissionForm] = {form.data_set: form for form in _FORMS}
"""Form by data set. The names of CMU and SILDa are those of visuallocalization.net's other data
sets; no submission to these two was seen."""


def submission_form(data_set: str) -> SubmissionForm:
    """Form of a data set.

    Raises:
        UnknownNameError: no form of that name is known.
    """
    try:
        return SUBMISSION_FORMS[data_set]
    except KeyError:
        known = ", ".join(SUBMISSION_FORMS)
        raise UnknownNameError(f"no submission form {data_set!r}; known are {known}") from None
