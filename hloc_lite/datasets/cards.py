"""Cards of data sets: source, licence, conditions and thresholds.

Cards are TOML files in ``card_files/``, so that an installed package has them. In a checkout,
``datasets/NAME/README.md`` says how to get the data.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from hloc_lite.config import Section
from hloc_lite.datasets.card_parts import (
    Counts,
    PublishedConfig,
    PublishedScore,
    Source,
    TreeEntry,
    Truth,
)
from hloc_lite.errors import FormatError, UnknownNameError

_FOLDER = files("hloc_lite.datasets").joinpath("card_files")


class Card(Section):
    """Card of a data set; the file's name is the name of the data set."""

    name: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where the data come from."""
    licence: str = Field(min_length=1)
    citation: str = ""
    """Publication to cite; empty if there is none."""
    units: str = Field(min_length=1)
    """Unit of lengths and direction of the axes."""
    layout: str = Field(min_length=1)
    """Files and folders of the data set."""
    conditions: tuple[str, ...] = ()
    """Query conditions in the order of tables; empty if queries are not divided."""
    protocols: tuple[str, ...] = ()
    """Protocols that ``hloc-lite retrieval evaluate --protocol`` takes; empty for data sets of
    poses."""
    thresholds: tuple[str, ...] = Field((), validate_default=True)
    """Accuracy thresholds of recalls, such as ``0.25m,2deg``; empty for data sets of retrieval."""
    title: str = ""
    """Name of the data set as its authors write it."""
    url: str = ""
    """Home page."""
    size: str = ""
    """Size of the downloads, for people; empty if it is not known."""
    sources: tuple[Source, ...] = ()
    tree: tuple[TreeEntry, ...] = ()
    """Files that a complete data set has."""
    counts: Counts = Counts()
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Columns of published tables and the conditions they join."""
    validation: tuple[str, ...] = ()
    """Conditions with public poses that are not submitted."""
    strict: bool = False
    """True if errors must be below a threshold; equal ones count, too, otherwise."""
    submission: str = ""
    """Name of the form in which poses are submitted; empty if there is none."""
    truth: Truth = ""
    recipe: str = ""
    """Settings with which published scores were reached."""
    settings: tuple[str, ...] = ()
    """``key=value`` of our own runs, where other defaults suit the data set."""
    configs: dict[str, PublishedConfig] = Field(default_factory=dict)
    """Settings of published runs by the name that ``hloc-lite benchmark --config`` takes."""
    published: tuple[PublishedScore, ...] = ()
    notes: tuple[str, ...] = ()
    """Traps of the data set, one sentence or two each."""

    @field_validator("thresholds")
    @classmethod
    def _check_thresholds(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and not info.data.get("protocols"):
            raise ValueError("expected thresholds of poses, or protocols of retrieval")
        return value

    @model_validator(mode="after")
    def _check_conditions(self) -> Card:
        for group, members in self.groups.items():
            unknown = [each for each in members if each not in self.conditions]
            if unknown:
                raise ValueError(f"the group {group!r} joins {unknown[0]!r}, which is no condition")
        unknown = [each for each in self.validation if each not in self.conditions]
        if unknown:
            raise ValueError(f"validation: {unknown[0]!r} is no condition")
        known = {"all", *self.conditions, *self.groups}
        for condition in self.counts.queries:
            if condition not in known:
                raise ValueError(f"queries are counted for {condition!r}, which is no condition")
        return self


def card_names() -> tuple[str, ...]:
    """Return the sorted names of the data sets that have a card."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def read_card(name: str) -> Card:
    """Read the card of a data set.

    Raises:
        UnknownNameError: no such card; the message lists the known ones.
        FormatError: the file is not TOML, or a key is unknown, missing or of the wrong type.
    """
    if name not in card_names():
        raise UnknownNameError(
            f"no data set is named {name!r}; those with a card are {', '.join(card_names())}"
        )
    file = _FOLDER.joinpath(f"{name}.toml")
    return parse_card(name, file.read_text(encoding="utf-8"), str(file))


def parse_card(name: str, text: str, where: str) -> Card:
    """Parse the TOML of a card; ``where`` is the file named in errors.

    Raises:
        FormatError: as ``read_card``.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{where} is not TOML: {error}") from None
    known = [key for key in Card.model_fields if key != "name"]
    for key in table:
        if key not in known:
            raise FormatError(f"{where}: unknown key {key!r}; expected {', '.join(known)}")
    try:
        return Card(name=name, **table)
    except ValidationError as error:
        found = error.errors()[0]
        key = ".".join(str(part) for part in found["loc"])
        if not key:
            raise FormatError(f"{where}: {found['msg']}") from None
        if found["type"] == "missing":
            raise FormatError(f"{where}: the key {key!r} is missing") from None
        raise FormatError(f"{where}: key {key!r}: {found['msg']}, got {found['input']!r}") from None
