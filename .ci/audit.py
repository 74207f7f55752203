"""Audits the installed direct dependencies with pip-audit, and says what could not be looked up.

pip-audit ends with success where it could look up nothing: it calls such packages skipped. Here
each package is known to be vulnerable, known to be fine, or named as unknown.

Exit codes: 0 nothing is known, or nothing could be looked up; 1 a vulnerability is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

SERVICES = ("pypi", "osv")
"""Databases that pip-audit knows, in the order in which they are asked."""
TIMEOUT_S = 120


def main() -> int:
    """Ask one database after the other until one answers."""
    pins = installed_pins()
    for service in SERVICES:
        found = ask(service, pins)
        if found is None:
            print(f"audit: {service} did not answer")
            continue
        vulnerable, unknown = found
        if len(unknown) == len(pins):
            print(f"audit: {service} knows none of the packages (a mirror without the database?)")
            continue
        print(f"audit: {service} looked up {len(pins) - len(unknown)} of {len(pins)} packages")
        for name in unknown:
            print(f"audit: NOT LOOKED UP: {name}")
        for line in vulnerable:
            print(f"audit: VULNERABLE: {line}")
        return 1 if vulnerable else 0
    print("audit: NOT DONE: no database of vulnerabilities answered; nothing is known either way")
    return 0


def installed_pins() -> list[str]:
    """``name==version`` of each direct dependency that is installed, of all extras."""
    pins = set()
    for text in requires("hloc_lite") or []:
        name = Requirement(text).name
        try:
            # a local version such as 2.13.0+cpu is in no database
            pins.add(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return sorted(pin for pin in pins if not pin.startswith("hloc"))


def ask(service: str, pins: list[str]) -> tuple[list[str], list[str]] | None:
    """Known vulnerabilities, and names that were not found; None without an answer."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "pins.txt")
        listed.write_text("\n".join(pins) + "\n", encoding="utf-8")
        command = [sys.executable, "-P", "-m", "pip_audit", "--vulnerability-service", service]
        command += ["--no-deps", "--disable-pip", "--format", "json", "-r", str(listed)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
            answer = json.loads(done.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
            return None
    unknown = [f"{each['name']}: {each['skip_reason']}" for each in answer if "skip_reason" in each]
    vulnerable = [
        f"{each['name']} {each['version']}: {known['id']}, fixed in "
        f"{', '.join(known['fix_versions']) or 'no version'}"
        for each in answer
        for known in each.get("vulns", ())
    ]
    return vulnerable, unknown


if __name__ == "__main__":
    sys.exit(main())
