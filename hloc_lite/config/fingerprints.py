"""Fingerprints of settings: they identify what a stored artefact was made with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from hloc_lite.config.renamed_keys import section_with_old_names, with_old_names
from hloc_lite.config.root import Config

_SECTION_NAMES: Mapping[Any, str] = {
    field.annotation: name for name, field in Config.model_fields.items()
}


def fingerprint(*parts: object) -> str:
    """16 hex digits that change with any of the parts.

    Args:
        parts: config sections, other models, or plain JSON values. Plain values are hashed as they
            are; those of a config come from ``plain_for_fingerprint``.
    """
    plain = [plain_for_fingerprint(part) if isinstance(part, BaseModel) else part for part in parts]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def plain_for_fingerprint(model: BaseModel) -> dict[str, Any]:
    """Plain values of a config, a section or another model, under the names that are hashed: those
    of version 0.1 (see ``renamed_keys``)."""
    values = model.model_dump()
    if isinstance(model, Config):
        if model.scratch == Config().scratch:
            del values["scratch"]  # version 0.1 had no such section
        return with_old_names(values)
    name = _SECTION_NAMES.get(type(model))
    return values if name is None else section_with_old_names(name, values)
