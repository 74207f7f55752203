"""Profiles: named sets of settings that trade speed for accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hloc_lite.config.root import Config
from hloc_lite.errors import ConfigError

PROFILES: Mapping[str, Mapping[str, Any]] = {
    # XFeat at 800 px: 0.05 s an image on two cores, 20 times less than ALIKED
    "fast": {
        "features": {"name": "xfeat", "max_side_px": 800},
        "matching": {"name": "mutual-nn"},
        "localize": {"num_retrieved": 10},
        # as many right poses as with 10 images, in four fifths of the time
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

_EVERY_PAIR = {"two_pass": False}
"""Of features for which nobody has measured yet what nearest neighbours first cost a map."""
FEATURE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "aliked-n16rot": {"matching": _EVERY_PAIR},
    "aliked-n32": {"matching": _EVERY_PAIR},
    "disk": {"matching": _EVERY_PAIR},
    # no ratio but a similarity bound, as its authors match: twice the right matches of ratio 0.9
    "xfeat": {
        "features": {"max_keypoints": 2048},
        "matching": {"max_ratio": 1.0, "min_similarity": 0.82, **_EVERY_PAIR},
    },
    # many cheap keypoints; 0.85 is where precision falls below 80 %
    "rootsift": {"features": {"max_keypoints": 4096}, "matching": {"max_ratio": 0.85}},
}
"""What suits some features better than the defaults above; profile, file and settings win."""


def query_profile(profile: str) -> dict[str, Any]:
    """What a profile says of queries alone, whatever features the map has.

    Raises:
        ConfigError: unknown profile.
    """
    if profile not in PROFILES:
        raise ConfigError(f"unknown profile {profile!r}; known are {', '.join(PROFILES)}")
    wanted = {name: PROFILES[profile].get(name, {}) for name in ("localize", "cascade")}
    defaults = Config().model_dump()
    keys = {
        (name, key) for each in PROFILES.values() for name in wanted for key in each.get(name, {})
    }
    return {
        name: {
            key: wanted[name].get(key, defaults[name][key])
            for own, key in sorted(keys)
            if own == name
        }
        for name in wanted
    }
