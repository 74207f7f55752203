"""The list of scenarios: maps, commands, and queries through the public API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from records import Record, record_of, rig_record_of
from session import Query, Session, public
from tables import ALL_CUES, COMMANDS, DEPTH, FEATURES, MAPS, NO_LABELS, OLD_NAMES

FEW = 4
"""Queries of each condition where a scenario is slow, or much like another one."""


def scenarios(session: Session) -> dict[str, Callable[[], list[Record] | None]]:
    """Name -> function; those of the API return records, the others write files."""
    found: dict[str, Callable[[], list[Record] | None]] = {}

    def add(
        name: str,
        maps: Sequence[str],
        settings: Sequence[str] = NO_LABELS,
        queries: Callable[[], list[Query]] = lambda: session.all_queries(FEW),
        **options: Any,
    ) -> None:
        def run() -> list[Record]:
            localizer = session.localizer(maps, settings, **options)
            return [
                record_of(localizer.localize(q.path, q.camera, name=q.name, fallback=True))
                for q in queries()
            ]

        found[name] = run

    for name in MAPS:
        found[f"maps/{name}"] = partial(_build, session, name)
    for name in COMMANDS:
        found[f"cli/{name}"] = partial(session.commands, name)
    for name in FEATURES:
        town = [f"town/{name}"]
        add(f"case/{name}", [f"case/{name}"], (), lambda: session.queries("case"))
        add(f"town/{name}", town, NO_LABELS, session.all_queries)
        add(f"labels-depth/{name}", town, DEPTH, session.all_queries)
        add(f"images/{name}", town, (*NO_LABELS, "localize.matching=images"))
        landmarks = (*NO_LABELS, "localize.matching=landmarks")
        add(f"landmarks/{name}", town, landmarks, session.all_queries)
        add(f"compact/{name}", [f"compact/{name}"], NO_LABELS, session.all_queries)
        add(f"foreign/{name}", town, NO_LABELS, lambda: foreign(session))
    for name in ("budget", "codes", "float16"):
        add(f"compact/{name}", [f"compact/{name}"])
    sift = ["town/rootsift"]
    add("labels/rootsift", sift, ())
    add("all-cues/rootsift", sift, ALL_CUES)
    add("old-names/rootsift", sift, OLD_NAMES)
    for profile in ("fast", "accurate"):
        add(f"profile-{profile}/rootsift", sift, profile=profile)
    for estimator in ("poselib", "opencv", "pycolmap"):
        settings = (*NO_LABELS, f"pose.estimator={estimator}")
        add(f"estimator-{estimator}/rootsift", sift, settings)
        if estimator != "opencv":
            found[f"rigs/{estimator}"] = partial(rigs, session, settings)
    without = (*NO_LABELS, "confidence.enabled=false", "pose.min_inliers=12")
    add("no-confidence/rootsift", sift, without)
    add("uncalibrated/rootsift", sift, NO_LABELS,
        lambda: [query._replace(camera=None) for query in session.all_queries(FEW)])  # fmt: skip
    add("two-maps/xfeat+rootsift", ["town/xfeat", *sift], NO_LABELS, session.all_queries)
    add("two-maps/aliked+xfeat labels-depth", ["town/aliked", "town/xfeat"], DEPTH)
    add("two-maps/compact", ["compact/xfeat", "compact/rootsift"])
    for maps in (sift, ["compact/aliked"], ["town/xfeat", *sift]):
        add(f"stored/{'+'.join(maps).replace('/', '-')}", maps, stored=True)
    found["priors/rootsift"] = lambda: priors(session)
    found["no-time/rootsift"] = lambda: no_time(session)
    found["batch/xfeat"] = lambda: batch(session)
    found["rigs/rootsift"] = lambda: rigs(session, NO_LABELS)
    found["sequence/rootsift"] = lambda: sequence(session)
    return found


def foreign(session: Session) -> list[Query]:
    """Photos of another scene with and without intrinsics, and a file that is no photo."""
    photos = session.queries("case", 3)
    no_photo = Query("no photo", session.case / "queries.txt", photos[0].camera, None)
    return [*photos, photos[0]._replace(name="uncalibrated", camera=None), no_photo]


def priors(session: Session) -> list[Record]:
    """Queries with right and wrong positions, gravity and heights."""
    localizer, prior = session.localizer(["town/rootsift"], NO_LABELS), public("Prior")
    down, records = np.array([0.0, 0.0, -1.0]), []
    for query in session.all_queries(3):
        pose = query.cam_from_world
        center, height = pose.center, float(pose.center[2])
        for known in (
            prior(position=center + np.array([3.0, 0.0, 0.0]), radius=8.0),
            prior(position=center + np.array([60.0, 0.0, 0.0]), radius=5.0),
            prior(gravity_in_world=down, gravity_in_cam=pose.rotation @ down),
            prior(gravity_in_world=down, gravity_in_cam=np.array([1.0, 0.0, 0.0])),
            prior(gravity_in_world=down, heights=(height - 1, height + 1)),
            prior(gravity_in_world=down, heights=(height + 5, height + 9)),
        ):
            result = localizer.localize(query.path, query.camera, name=query.name, prior=known)
            records.append(record_of(result))
    return records


def no_time(session: Session) -> list[Record]:
    """Queries with a budget of nothing: only the first step is made."""
    localizer = session.localizer(["town/rootsift"], (*NO_LABELS, "cascade.first_images=2"))
    return [
        record_of(localizer.localize(query.path, query.camera, name=query.name, budget_ms=0))
        for query in session.all_queries(FEW)
    ]


def batch(session: Session) -> list[Record]:
    """Queries that are read ahead."""
    queries = session.all_queries(FEW)
    paths, cameras = [query.path for query in queries], [query.camera for query in queries]
    results = session.localizer(["town/xfeat"], NO_LABELS).localize_batch(paths, cameras)
    return [record_of(result) for result in results]


def rigs(session: Session, settings: Sequence[str]) -> list[Record]:
    """Rigs of two and three cameras, made of queries and their true poses; one photo unreadable."""
    localizer = session.localizer(["town/rootsift"], settings)
    queries, records = session.all_queries(12), []
    for start, count in [(start, count) for start in range(0, 36, 6) for count in (2, 3)]:
        members = queries[start : start + count]
        world_from_rig = members[0].cam_from_world.inverse()
        cameras = [
            public("RigCamera")(query.camera, query.cam_from_world.compose(world_from_rig))
            for query in members
        ]
        images = [query.path for query in members]
        if (start, count) == (6, 3):
            images[1] = session.case / "queries.txt"
        result = localizer.localize_rig(images, public("Rig")(tuple(cameras)))
        records.append(rig_record_of(f"{count} cameras from {members[0].name}", result))
    return records


def _build(session: Session, name: str) -> None:
    """Build a map of ``MAPS``."""
    session.map(name)


def sequence(session: Session) -> list[Record]:
    """Frames one after another, with true odometry between them."""
    frames: list[Any] = []
    last: Any = None
    for query in session.all_queries(6):
        pose = query.cam_from_world
        moved = None if last is None else pose.compose(last.inverse())
        frames.append(public("Frame")(query.path, query.camera, moved))
        last = pose
    localizer = session.localizer(["town/rootsift"], NO_LABELS)
    return [record_of(result) for result in localizer.localize_sequence(frames)]
