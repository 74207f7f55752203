"""Packages that only an extra of hloc_lite installs, such as ``hloc-lite[report]``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

from hloc_lite.errors import MissingDependencyError

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "depth": ("open3d", "pye57"),
    "exr": ("OpenEXR",),
    "hf": ("transformers",),
    "report": ("matplotlib",),
    "semantics": ("ai_edge_litert.interpreter",),
    "serve": (
        "fastapi",
        "h11",
        "prometheus_client",
        "python_multipart",
        "starlette",
        "uvicorn",
    ),
    "town": ("embreex", "matplotlib", "skimage"),
    "viz": ("matplotlib", "viser"),
}
"""Extra of pyproject.toml -> the modules it installs."""

MATPLOTLIB_SETTINGS = "matplotlibrc"
"""File of the current folder that matplotlib reads when it is imported, before the user's own."""


def require_extra(extra: str, purpose: str) -> None:
    """Import the modules of an extra, so that what follows can import from them.

    Args:
        extra: key of ``EXTRAS``.
        purpose: subject of the message, such as "a report".

    Raises:
        MissingDependencyError: a module cannot be imported; the message names the remedy.
    """
    for module in EXTRAS[extra]:
        try:
            with _without_settings_of_current_folder():
                import_module(module)
        except ImportError as error:
            absent = error.name if isinstance(error, ModuleNotFoundError) else None
            missing = absent is not None and f"{module}.".startswith(f"{absent}.")
            problem = "is not installed" if missing else f"cannot be imported ({error})"
            raise MissingDependencyError(
                f'{purpose} needs {module}, which {problem}: pip install "hloc-lite[{extra}]"'
            ) from None


@contextmanager
def _without_settings_of_current_folder() -> Iterator[None]:
    """Be in Python's own folder meanwhile, if the current one has settings for matplotlib.

    They may come with photos from elsewhere. With ``text.usetex: True``, all texts of a plot would
    be run by TeX.
    """
    if not os.path.exists(MATPLOTLIB_SETTINGS):
        yield
        return
    here = os.getcwd()
    os.chdir(sys.prefix)
    try:
        yield
    finally:
        os.chdir(here)
