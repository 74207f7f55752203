"""Probes: small calls of the native libraries, each in a process of its own that may crash.

``python -m hloc_lite.io.probes NAME`` runs a probe and prints its result as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.io.temporary_folders import temporary_folder

TIMEOUT_S = 120
"""A cold import of torch from a slow disk takes tens of seconds."""


@dataclass(frozen=True)
class ProbeAnswer:
    """Result of a probe."""

    value: Any
    """Return value; None if the probe failed."""
    failure: str
    """Reason of the failure; empty if the probe worked."""


def run_probe(name: str) -> ProbeAnswer:
    """Run a probe of ``PROBES`` in a new Python process."""
    command = python_command(__name__, name)
    try:
        with temporary_folder() as folder:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S,
                cwd=folder, env=python_environment(),
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ProbeAnswer(None, f"no answer within {TIMEOUT_S} s")
    if done.returncode < 0:
        return ProbeAnswer(None, f"crashed (signal {-done.returncode})")
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return ProbeAnswer(None, lines[-1])
    return ProbeAnswer(json.loads(done.stdout.strip().splitlines()[-1]), "")


def torch_devices() -> dict[str, Any]:
    """Return the devices that torch can use."""
    import torch

    cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"cuda": cuda, "mps": torch.backends.mps.is_available()}


def torch_convolution() -> str:
    """Check a convolution with a known result."""
    import torch

    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    got = torch.nn.functional.conv2d(image, torch.ones(1, 1, 3, 3)).flatten().tolist()
    _require(got == [45.0, 54.0, 81.0, 90.0], f"wrong sums {got}")
    return "right"


def faiss_after_torch() -> str:
    """Check an index search after torch has started threads: OpenMP runtimes can clash."""
    import torch

    torch.ones(256, 256) @ torch.ones(256, 256)
    import faiss

    vectors = np.eye(8, 64, dtype=np.float32)
    index = faiss.IndexFlatIP(64)
    index.add(vectors)
    _, found = index.search(vectors, 1)
    _require(found.ravel().tolist() == list(range(8)), f"wrong neighbours {found.ravel()}")
    return "right"


def pycolmap_mapper() -> dict[str, Any]:
    """Load pycolmap beside torch; return its version and whether it has a global mapper."""
    import torch  # noqa: F401

    from hloc_lite.io import pycolmap_adapter

    return {
        "version": pycolmap_adapter.version(),
        "global_mapper": pycolmap_adapter.has_global_mapper(),
    }


def embree_ray() -> str:
    """Check a ray against one triangle."""
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    scene = rtcore_scene.EmbreeScene()
    corners = np.array([[[-1, -1, 1], [1, -1, 1], [0, 1, 1]]], np.float32)
    TriangleMesh(scene, corners)
    hit = scene.run(np.zeros((1, 3), np.float32), np.array([[0, 0, 1]], np.float32))
    _require(list(hit) == [0], f"the ray missed: {hit}")
    return "right"


PROBES: Mapping[str, Callable[[], Any]] = {
    probe.__name__: probe
    for probe in (torch_devices, torch_convolution, faiss_after_torch, pycolmap_mapper, embree_ray)
}


def _require(condition: bool, failure: str) -> None:
    if not condition:
        raise SystemExit(failure)


if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]]()))
