"""Maps and commands of all scenarios, and the settings of queries.

Config keys are the names of the older version, which the newer one must still read.
"""

from __future__ import annotations

FEATURES = {
    "rootsift": ("--features", "rootsift", "--set", "features.max_keypoints=2048"),
    "aliked": ("--features", "aliked-n16"),
    "xfeat": ("--features", "xfeat", "--set", "features.max_keypoints=1024"),
}
SIFT, ALIKED = FEATURES["rootsift"], FEATURES["aliked"]

CASE = ("map", "{case}/images", "--image-list", "{case}/map_images.txt",
        "--set", "mapping.threads=1")  # fmt: skip
KNOWN = (*CASE, "--reference", "{case}/model")
TOWN = ("map", "{town}/images", "--image-list", "{town}/map_images.txt", "--reference",
        "{town}/model", "--labels", "{town}/labels", "--set", "mapping.threads=1",
        "--pairs", "retrieval:10")  # fmt: skip
MAPS: dict[str, tuple[str, ...]] = {
    **{f"case/{name}": (*KNOWN, *features) for name, features in FEATURES.items()},
    "case/every-pair": (*KNOWN, *ALIKED, "--set", "matching.cheap_first=false"),
    "case/two-pass": (*KNOWN, *ALIKED, "--set", "matching.enough_verified=1000",
                      "--set", "matching.enough_pairs=5", "--set", "matching.chance_verified=50"),
    "case/work-kept": (*KNOWN, *ALIKED, "--keep-work"),
    "case/scratch": (*CASE, *SIFT),
    "case/scratch-global": (*CASE, *SIFT, "--mapper", "global"),
    "case/pairs-poses": (*KNOWN, *SIFT, "--pairs", "poses:3"),
    "case/pairs-sequential": (*KNOWN, *SIFT, "--pairs", "sequential:2"),
    "case/pairs-covisible": (*CASE, *SIFT, "--reference", "@case/rootsift",
                             "--pairs", "covisible:3"),
    "case/profile-fast": (*KNOWN, "--profile", "fast"),
    **{f"town/{name}": (*TOWN, *features) for name, features in FEATURES.items()},
    **{f"compact/{name}": ("compress", f"@town/{name}") for name in FEATURES},
    "compact/budget": ("compress", "@town/rootsift", "--budget", "500kB"),
    "compact/codes": ("compress", "@town/aliked", "--descriptors", "pq", "--retrieval", "bits"),
    "compact/float16": ("compress", "@town/xfeat", "--descriptors", "float16",
                        "--retrieval", "float16"),
    "rendered": ("town", "render", "--map", "6", "--queries", "1", "--size", "160x120",
                 "--seed", "3", "--jobs", "1"),
}  # fmt: skip
"""Folder -> command that makes it. ``@NAME`` stands for another map, which is made first."""

LOCALIZE = ("--images", "{town}/images", "--queries", "{town}/queries_day.txt",
            "-o", "{out}/poses.txt", "--jsonl", "{out}/results.jsonl")  # fmt: skip
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "plain": (
        ("localize", "@town/rootsift", *LOCALIZE, "--labels", "none", "--fallback", "retrieval"),
        ("evaluate", "{out}/poses.txt", "{town}/gt_day.txt", "--json", "{out}/scores.json"),
    ),
    "labels-depth": (("localize", "@town/rootsift", *LOCALIZE, "--labels", "{town}/labels",
                      "--depth", "{town}/depth", "--names", "basename"),),
    "two-maps": (("localize", "@town/xfeat", "--also", "@town/rootsift", *LOCALIZE,
                  "--profile", "fast"),),
    "near": (("localize", "@town/rootsift", *LOCALIZE, "--near", "{near}", "--labels", "none"),),
    "photo": (("localize", "@case/rootsift", "{photo}",
               "-o", "{out}/poses.txt", "--jsonl", "{out}/results.jsonl"),),
    "compact": (("localize", "@compact/budget", *LOCALIZE),),
    "georeference": (
        ("georeference", "+town/rootsift", "--positions", "{out}/positions.csv"),
        ("localize", "+town/rootsift", *LOCALIZE, "--gps", "55.7,13.2,60",
         "--geopose", "{out}/geopose.jsonl", "--labels", "none"),
    ),
    # a map that the older version finished is not made again, and one that it began is resumed
    "stored-finished": ((*KNOWN, *SIFT, "-o", "<case/rootsift"),),
    "stored-begun": ((*KNOWN, *ALIKED, "--keep-work", "-o", "<case/work-kept!"),),
}  # fmt: skip
"""Folder -> commands that write into it.

``+NAME`` stands for a copy of a map in that folder, ``<NAME`` for a copy of the stored map;
``!`` removes its map.json, so that it is unfinished."""

NO_LABELS = ("semantics.source=none",)
DEPTH = ("depth.source=files:{town}/depth",)
ALL_CUES = (
    *DEPTH, "weighting.off=[]", "semantics.rerank_keep=8", "semantics.mode=hard",
    "depth.in_ransac=true", "weighting.bound_exponent=1.0",
)  # fmt: skip
OLD_NAMES = (
    *DEPTH, "depth.in_ransac=true", "depth.min_view_gain=0.1", "depth.view_support_ratio=1.3",
    "cascade.first_images=3", "cascade.enough=0.999", "cascade.hopeless=0.4",
    "cascade.images_at_once=3", "localize.rival_share=0.2", "localize.max_rival_trials=500",
    "localize.same_place_depths=0.02", "localize.same_place_deg=1.0", "matching.even_ratio=0.7",
    "pose.judged_per_batch=4", "pose.prior_share=0.2", "pose.screen_size=64",
    "pose.screen_survivors=16", "weighting.off=[]", "weighting.places=2.0",
)  # fmt: skip
"""Every key of queries that was renamed, at another value than its default."""
