"""Declared versions of dependencies, and the audit that CI makes of them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import tomllib
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
SAFE_FROM = {
    "filelock": "3.20.3",  # CVE-2025-68146, CVE-2026-22701: links in place of lock files
    "h11": "0.16.0",  # CVE-2025-43859: chunked bodies
    "jinja2": "3.1.6",  # CVE-2025-27516: sandbox
    "opencv-python-headless": "4.12",  # CVE-2025-53644: JPEG
    "pillow": "12.1.1",  # CVE-2026-25990: PSD
    "python-multipart": "0.0.22",  # CVE-2026-24486: names of files
    "requests": "2.32.4",  # CVE-2024-47081: .netrc
    "starlette": "0.49.1",  # CVE-2025-62727: ranges
    "torch": "2.10",  # CVE-2025-32434, CVE-2026-24747: torch.load with weights_only
    "tqdm": "4.66.3",  # CVE-2024-34062
    "urllib3": "2.6.3",  # CVE-2025-66471, CVE-2026-21441: decompression
}
"""Lowest version without a vulnerability that was known when it was declared."""


def declared() -> dict[str, list[Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = chain(project["dependencies"], *project["optional-dependencies"].values())
    found: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, texts):
        found.setdefault(requirement.name.lower(), []).append(requirement)
    return found


def lowest(requirement: Requirement) -> Version:
    return max(Version(each.version) for each in requirement.specifier if each.operator == ">=")


def test_every_dependency_has_a_lowest_version() -> None:
    for name, requirements in declared().items():
        if name not in ("hloc_lite", "mkdocstrings"):
            for requirement in requirements:
                operators = [each.operator for each in requirement.specifier]
                assert operators.count(">=") == 1, requirement


@pytest.mark.parametrize("name", SAFE_FROM)
def test_versions_with_known_vulnerabilities_are_excluded(name: str) -> None:
    requirements = declared()[name]
    assert all(lowest(each) >= Version(SAFE_FROM[name]) for each in requirements), requirements


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FINE = {"name": "a", "version": "1", "vulns": []}
HOLED = {"name": "b", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ([FINE, FINE], 0, "looked up 2 of 2"),
        ([FINE, HOLED], 1, "VULNERABLE: b 1: CVE-1, fixed in 2"),
        ([FINE, SKIPPED], 0, "NOT LOOKED UP: c"),
        ([SKIPPED, SKIPPED], 0, "NOT DONE"),
        (None, 0, "NOT DONE"),
    ],
)
def test_the_audit_is_never_silent(audit, answer, code, said, monkeypatch, capsys) -> None:
    printed = "" if answer is None else json.dumps({"dependencies": answer})
    done = subprocess.CompletedProcess([], 0, stdout=printed, stderr="")
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: done)
    monkeypatch.setattr(audit, "installed_pins", lambda: ["a==1", "b==1"])
    assert audit.main() == code
    assert said in capsys.readouterr().out
