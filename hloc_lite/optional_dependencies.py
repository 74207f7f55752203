"""Packages that only an extra of hloc_lite installs, such as ``hloc-lite[report]``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from hloc_lite.errors import MissingDependencyError

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "depth": ("open3d", "pye57"),
    "exr": ("OpenEXR",),
    "hf": ("transformers",),
    "report": ("matplotlib",),
    "semantics": ("ai_edge_litert.interpreter",),
    "serve": ("fastapi", "prometheus_client", "python_multipart", "uvicorn"),
    "town": ("embreex", "matplotlib", "skimage"),
    "viz": ("matplotlib", "viser"),
}
"""Extra of pyproject.toml -> the modules it installs."""


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
            import_module(module)
        except ImportError as error:
            absent = error.name if isinstance(error, ModuleNotFoundError) else None
            missing = absent is not None and f"{module}.".startswith(f"{absent}.")
            problem = "is not installed" if missing else f"cannot be imported ({error})"
            raise MissingDependencyError(
                f'{purpose} needs {module}, which {problem}: pip install "hloc-lite[{extra}]"'
            ) from None
