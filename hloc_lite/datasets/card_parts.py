"""Parts of a data set card: sources, expected files, numbers of images, published scores."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from hloc_lite.config import Section
from hloc_lite.io.image_names import leads_out

Truth = Literal["", "public", "server", "partly"]
"""Where true poses of the queries are: published, kept by a scoring server, or some of each."""


class Source(Section):
    """One file of a data set on the web."""

    url: str
    """Address of the file, or of the page that gives it."""
    what: str = Field(min_length=1)
    """Content of the file, for people."""
    login: bool = False
    """True if an account, a form or steps by hand are needed; nothing is then downloaded."""
    file: str = ""
    """Path of a file that is kept as it is; archives need none."""
    unpack: str | None = None
    """Folder that the archive is unpacked into; None for files that are no archive."""
    inner: str = ""
    """Glob of archives in the archive, which are unpacked where they lie."""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    bytes: int | None = Field(default=None, gt=0)

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ValueError("expected an address that begins with http:// or https://")
        return url

    @field_validator("file", "unpack", "inner")
    @classmethod
    def _check_inside(cls, path: str | None) -> str | None:
        return path if path is None else _inside(path)

    @property
    def file_name(self) -> str:
        """Last part of the address."""
        return urlsplit(self.url).path.rstrip("/").rpartition("/")[2]


class TreeEntry(Section):
    """Files that a complete data set has."""

    path: str = Field(min_length=1)
    """Glob relative to the root: ``*``, ``?``, ``[...]``, ``{a,b}``, and ``**`` for folders."""
    what: str = Field(min_length=1)
    alternatives: tuple[str, ...] = ()
    """Other globs where the same files may lie; that with the most files counts."""
    count: int | None = Field(default=None, ge=1)
    """Number of files; None if any number above zero will do."""
    at_least: int = Field(default=1, ge=1)
    """Smallest number of files, where the exact one is not known."""
    optional: bool = False
    names_in: tuple[str, ...] = ()
    """Globs of text lists that name these files; files that no list names are surplus."""

    @field_validator("path", "alternatives", "names_in")
    @classmethod
    def _check_inside(cls, paths: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for path in (paths,) if isinstance(paths, str) else paths:
            _inside(path)
        return paths

    @property
    def globs(self) -> tuple[str, ...]:
        """The path and its alternatives."""
        return (self.path, *self.alternatives)

    @property
    def expected(self) -> str:
        """Number of files, for people: ``1015``, ``at least 1``."""
        return f"at least {self.at_least}" if self.count is None else str(self.count)


class Counts(Section):
    """Numbers of images, as far as they are known."""

    map_images: int | None = Field(default=None, gt=0)
    queries: dict[str, int] = Field(default_factory=dict)
    """Number of queries by condition; ``all`` for all together."""


class PublishedScore(Section):
    """Score of a method that was published."""

    method: str = Field(min_length=1)
    condition: str = Field(min_length=1)
    values: tuple[float, ...] = Field(min_length=1)
    """Percent of queries within each threshold, unless ``unit`` says otherwise."""
    unit: str = "percent"
    source: str = Field(min_length=1)
    """Publication or page that prints the score."""

    @model_validator(mode="after")
    def _check_percents(self) -> PublishedScore:
        if self.unit == "percent" and not all(0 <= value <= 100 for value in self.values):
            raise ValueError(f"percents lie between 0 and 100, got {self.values}")
        return self


def _inside(path: str) -> str:
    """The path, if it stays in the root; the error is one of pydantic's validators."""
    if leads_out(path):
        raise ValueError("expected a path inside the folder of the data set")
    return path


class PublishedConfig(Section):
    """Settings of a published run, as far as this package has its parts."""

    source: str = Field(min_length=1)
    """Where the settings were read."""
    settings: tuple[str, ...] = Field(min_length=1)
    """``key=value`` of config keys."""
    replaced: str = ""
    """Sentence on the parts that are not ours, and what stands in for them."""
