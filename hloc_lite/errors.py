"""The exceptions of hloc_lite: each message says what was expected, what came, and what to do.

A query that cannot be localized is not an error but a value (see ``types.Status``).
"""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """``1 pair``, ``2 pairs``: for messages."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class HlocLiteError(Exception):
    """Base of every error a user can cause and mend; the CLI prints it as one line, exit 2."""


class ConfigError(HlocLiteError):
    """An unknown option, a value of the wrong type, or one out of its range."""


class UnknownNameError(ConfigError):
    """A registry was asked for a name it does not have."""


class ShapeError(HlocLiteError):
    """An array has another shape or dtype than the function states."""


class FormatError(HlocLiteError):
    """A file does not have the layout its format asks for."""


class DamagedMapError(FormatError):
    """A file of a map is missing, damaged, or belongs elsewhere; the message names the remedy."""


class BusyMapError(HlocLiteError):
    """Another process is building the map."""


class ImageError(HlocLiteError):
    """An image is missing, truncated, too large, or no image at all."""


class WeightsError(HlocLiteError):
    """A weights file is missing and cannot be fetched, or is not the file its checksum names."""


class StaleArtefactError(HlocLiteError):
    """An artefact on disk was made by another config, other weights or other images."""


class MappingError(HlocLiteError):
    """No map can be built: nothing registered, nothing triangulated, or too few images."""


class GeoreferenceError(HlocLiteError):
    """The given positions do not say where on Earth a map lies."""


class MissingDependencyError(HlocLiteError):
    """An optional or outdated package is needed for what was asked."""


class ContractError(HlocLiteError):
    """A model breaks a rule of its role (see ``hloc_lite.contracts``)."""
