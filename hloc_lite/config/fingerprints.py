"""Fingerprints of settings: they identify what a stored artefact was made with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from hloc_lite.config.renamed_keys import section_with_old_names, with_old_names
from hloc_lite.config.root import Config

ADDED_KEYS = frozenset(
    {
        "burned_in",
        "intrinsics",
        "lifting",
        "scratch",
        "self_test",
        "assessment",
        "view_synthesis",
        "visibility",
        "pose.keypoint_sigma_px",
        "mapping.low_pose_agreement",
        "geometry.min_confirmed_share",
        "retrieval.scales",
        "matching.dense_side_px",
        "matching.dense_min_support",
        "matching.dense_min_certainty",
        "matching.dense_max_matches",
        "matching.dense_cell_px",
        "localize.min_image_matches",
        "localize.min_overlap",
        "localize.recalibrate",
        "localize.turn_failed",
        "localize.turn_max_inlier_share",
        "localize.turn_min_gain",
        "confidence.max_wrong",
        "confidence.delta",
        "confidence.unmapped_share",
        "confidence.promise_floor",
        "confidence.cautious_confidence",
        "pose.rig_contradiction_share",
    }
)
"""Sections and keys that version 0.1 did not have. With their defaults they are left out of
fingerprints, so that what was stored before stays valid."""

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
        kept = {name: without_new_defaults(name, keys) for name, keys in values.items()}
        return with_old_names({name: keys for name, keys in kept.items() if keys})
    name = _SECTION_NAMES.get(type(model))
    if name is None:
        return values
    return section_with_old_names(name, without_new_defaults(name, values))


def without_new_defaults(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a section without those keys of later versions that have their defaults.

    Args:
        section: its name.
        values: key -> value; some keys may be absent.
    """
    defaults = Config.model_fields[section].get_default().model_dump()
    return {
        key: value
        for key, value in values.items()
        if (f"{section}.{key}" not in ADDED_KEYS and section not in ADDED_KEYS)
        or value != defaults[key]
    }
