"""Diagnostics in unusual environments."""

from __future__ import annotations

from importlib import metadata

from hloc_lite.io import diagnostics


def test_the_doctor_runs_in_a_checkout_that_is_not_installed(monkeypatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    monkeypatch.setattr(metadata, "version", absent)
    found = {finding.name: finding.value for finding in diagnostics._packages()}
    assert found["hloc_lite"] == "not installed" and "python" in found
