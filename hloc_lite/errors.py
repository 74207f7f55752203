"""The exceptions of hloc_lite: each message says what was expected, what came, and what to do.

A query that cannot be localized is not an error but a value (see ``types.Status``).
"""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Format a count for messages: ``1 pair``, ``2 pairs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class HlocLiteError(Exception):
    """Base of all errors that users can cause and fix; the CLI prints one line and exits with 2."""


class ConfigError(HlocLiteError):
    """An unknown option, a value of the wrong type, or one out of its range."""


class UnknownNameError(ConfigError):
    """A name that the registry does not have."""


class PluginError(ConfigError):
    """An installed package adds a model that cannot be used."""


class ShapeError(HlocLiteError):
    """An array has another shape or dtype than expected."""


class FormatError(HlocLiteError):
    """A file does not have the layout of its format."""


class NewerVersionError(FormatError):
    """A file of ours was made by a version that writes another layout."""


class DamagedMapError(FormatError):
    """A file of a map is missing, damaged, or belongs elsewhere; the message names the remedy."""


class BusyMapError(HlocLiteError):
    """Another process is building the map."""


class ImageError(HlocLiteError):
    """An image is missing, truncated, too large, or no image at all."""


class WeightsError(HlocLiteError):
    """A weights file is missing and cannot be fetched, or has another checksum."""


class StaleArtefactError(HlocLiteError):
    """An artefact on disk was made with another config, other weights or other images."""


class MappingError(HlocLiteError):
    """No map can be built: nothing registered, nothing triangulated, or too few images."""


class RegistrationError(MappingError):
    """No image of a map from scratch could be registered."""


class GeoreferenceError(HlocLiteError):
    """The given positions do not determine where on Earth a map lies."""


class MissingDependencyError(HlocLiteError):
    """A package that is needed for the request is missing or outdated."""


class ContractError(HlocLiteError):
    """A model breaks a rule of its role (see ``hloc_lite.contracts``)."""
