"""Profiles: named sets of settings that trade speed for accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hloc_lite.config.key_uses import key_uses
from hloc_lite.config.root import Config
from hloc_lite.config.section import Use
from hloc_lite.errors import ConfigError

PROFILES: Mapping[str, Mapping[str, Any]] = {
    # XFeat at 800 px: 0.05 s per image on two cores, 20 times faster than ALIKED
    "fast": {
        "features": {"name": "xfeat", "max_side_px": 800},
        "matching": {"name": "mutual-nn"},
        "localize": {"num_retrieved": 10},
        # as many correct poses as with 10 images, in four fifths of the time
        "cascade": {"num_initial_images": 5, "max_images": 0},
    },
    "balanced": {},
    # twice the keypoints at 1.5 times the resolution: about four times the matching time
    "accurate": {
        "features": {"name": "aliked-n16", "max_side_px": 1600, "max_keypoints": 2048},
        "localize": {"num_retrieved": 30},
        "cascade": {"accept_above": 0.99, "max_images": 20},
    },
}


def profile_settings(profile: str) -> Mapping[str, Any]:
    """Section -> key -> value of a profile.

    Raises:
        ConfigError: unknown profile.
    """
    if profile not in PROFILES:
        raise ConfigError(f"unknown profile {profile!r}; known are {', '.join(PROFILES)}")
    return PROFILES[profile]


def query_profile(profile: str) -> dict[str, Any]:
    """Settings of a profile that only queries read; they suit maps of any features.

    Keys that only other profiles set come with their defaults.

    Raises:
        ConfigError: unknown profile.
    """
    own, defaults = profile_settings(profile), Config().model_dump()
    keys = [
        (section, key)
        for settings in PROFILES.values()
        for section, values in settings.items()
        for key in values
    ]
    wanted: dict[str, Any] = {}
    for section, key in keys:
        if key_uses()[section][key] == Use.QUERY:
            value = own.get(section, {}).get(key, defaults[section][key])
            wanted.setdefault(section, {})[key] = value
    return wanted
