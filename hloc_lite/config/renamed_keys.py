"""Config keys and values that were renamed in version 0.2.

Old names are still read. Fingerprints are computed from the old names, so that maps and stores made
by earlier versions stay valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hloc_lite.errors import ConfigError

OLD_TO_NEW: Mapping[str, str] = {
    "cascade.enough": "cascade.accept_above",
    "cascade.first_images": "cascade.num_initial_images",
    "cascade.hopeless": "cascade.reject_below",
    "cascade.images_at_once": "cascade.images_per_step",
    "depth.min_view_gain": "depth.min_view_fit_share",
    "depth.view_support_ratio": "depth.view_fit_ratio",
    "localize.max_rival_trials": "localize.max_runner_up_trials",
    "localize.rival_share": "localize.runner_up_share",
    "localize.same_place_deg": "localize.same_location_deg",
    "localize.same_place_depths": "localize.same_location_depths",
    "matching.chance_verified": "matching.two_pass_chance_matches",
    "matching.cheap_first": "matching.two_pass",
    "matching.enough_pairs": "matching.two_pass_good_pairs",
    "matching.enough_verified": "matching.two_pass_good_matches",
    "matching.even_ratio": "matching.ratio_midpoint",
    "pose.judged_per_batch": "pose.depth_scored_per_batch",
    "pose.prior_share": "pose.prior_inlier_ratio",
    "pose.screen_size": "pose.screening_correspondences",
    "pose.screen_survivors": "pose.screening_survivors",
    "prior.slack_depths": "prior.margin_depths",
    "weighting.places": "weighting.view_semantics",
}
"""``section.key`` of earlier versions -> the key of this one."""

OLD_TO_NEW_ITEMS: Mapping[str, Mapping[str, str]] = {
    "weighting.off": {"places": "view_semantics"},
}
"""Key whose value is a list -> renamed items of that list."""

_NEW_TO_OLD = {new: old for old, new in OLD_TO_NEW.items()}


def with_new_names(
    values: Mapping[str, Any], warn: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Translate old keys and list items of a nested plain config; all else stays as it is.

    Args:
        values: section -> key -> value, possibly incomplete or invalid.
        warn: called with a one-line message for each old name found; None: silent.

    Raises:
        ConfigError: the old and the new name of one key are both given.
    """
    return {
        section: _section_with_new_names(section, keys, warn) if isinstance(keys, Mapping) else keys
        for section, keys in values.items()
    }


def with_old_names(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Translate a nested plain config back to the names that fingerprints are computed from."""
    return {name: section_with_old_names(name, keys) for name, keys in values.items()}


def section_with_old_names(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the plain values of one section back, as ``with_old_names`` does."""
    renamed: dict[str, Any] = {}
    for key, value in values.items():
        items = OLD_TO_NEW_ITEMS.get(f"{section}.{key}")
        if items is not None:
            back = {new: old for old, new in items.items()}
            value = [back.get(item, item) for item in value]
        renamed[_NEW_TO_OLD.get(f"{section}.{key}", f"{section}.{key}").partition(".")[2]] = value
    return renamed


def _section_with_new_names(
    section: str, values: Mapping[str, Any], warn: Callable[[str], None] | None
) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{section}.{key}"
        new = OLD_TO_NEW.get(path, path)
        if new != path:
            new_key = new.partition(".")[2]
            if new_key in values:
                raise ConfigError(
                    f"config keys {path!r} and {new!r} are the old and the new name of one "
                    f"setting; give {new!r} only"
                )
            if warn is not None:
                warn(f"config key {path!r} is now called {new!r}; the old name still works")
            key = new_key
        items = OLD_TO_NEW_ITEMS.get(path)
        if items is not None and isinstance(value, list | tuple):
            value = _items_with_new_names(path, value, items, warn)
        renamed[key] = value
    return renamed


def _items_with_new_names(
    path: str,
    values: list[Any] | tuple[Any, ...],
    items: Mapping[str, str],
    warn: Callable[[str], None] | None,
) -> list[Any]:
    for old, new in items.items():
        if old not in values:
            continue
        if new in values:
            raise ConfigError(
                f"{path!r} has {old!r} and {new!r}, the old and the new name of one thing; give "
                f"{new!r} only"
            )
        if warn is not None:
            warn(f"{old!r} in {path!r} is now called {new!r}; the old name still works")
    return [items.get(item, item) if isinstance(item, str) else item for item in values]
