"""Places of the command line where names come in: verb by verb, in arguments and in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hloc_lite.formats.submissions.forms import SUBMISSION_FORMS
from pipelines.benchmarks.robustness.mutated_files import SAMPLES
from pipelines.benchmarks.robustness.named_inputs import (
    MODELS,
    Prepare,
    both,
    in_header,
    in_map,
    inside,
    no_file,
    photo,
    sample,
    video,
    zipped,
)

_MODELS = " ".join(MODELS)
_MAP = f"map images -o out/map {_MODELS}"
_ON_QUERIES = "--images queries -o out/p.txt --jsonl out/r.jsonl"
_REPORT = f"{_ON_QUERIES} --report out/report --map-images images --fallback retrieval"
LISTED: Mapping[str, Sequence[str]] = {
    "7scenes": ("sequence1",),
    "aachen": ("db/1.jpg", "query/day/milestone/IMG_0000.jpg"),
    "cambridge": ("seq1/frame00001.png", "seq2/frame00001.png"),
    "cmu": ("img_00000_c0_1300000000000000us.jpg", "img_00005_c0_1300000000000005us.jpg"),
    "crocodl": ("images/cam_000/1630000000000000.jpg",),
    "custom": ("a/0.png", "q/0.png"),
    "eth-microsoft": ("images/cam00/001000.jpg",),
    "gangnam": ("images/cam00/200000.jpg",),
    "lamar": ("images/cam_000/1630000000000000.jpg",),
    "mapfree": ("seq1/frame_00000.jpg",),
    "robotcar": ("overcast-summer/rear/1400000000500000.jpg",),
    "robotcar-v2": ("overcast-reference/rear/1400000000000000.png",),
    "silda": ("0000_0.png", "0002_1.png"),
}
"""Benchmark -> names in its lists, when it is written from the inputs."""
NAMELESS = {
    "7-Scenes", "12-Scenes", "KITTI odometry", "4Seasons", "RIO10", "3D Scanner App",
    "Stray Scanner",
}  # fmt: skip
"""Samples that name no images: their files are numbered."""
_SCORES = "poses.txt gt.txt results.jsonl"


@dataclass(frozen=True)
class CommandEntry:
    """One place where a name comes in."""

    command: str
    """Command line; ``{}`` is the name. Inputs that it names are copied for each trial."""
    where: str
    prepare: Prepare = no_file
    is_path: bool = False
    """True if the name is a path that the user gives: it may lead anywhere."""

    @property
    def verb(self) -> str:
        """The verb of the command line."""
        return self.command.split()[0]


def command_entries() -> tuple[CommandEntry, ...]:
    """All places; each verb but ``demo`` and ``doctor``, which take no names, has one or more."""
    return (*_mapping(), *_localizing(), *_scoring(), *_of_maps(), *_of_data_sets(), *_others())


def _paths(command: str, where: str) -> CommandEntry:
    return CommandEntry(command, where, is_path=True)


def _mapping() -> Iterator[CommandEntry]:
    yield CommandEntry(_MAP, "photo", photo("images"))
    posed = f"{_MAP} --reference model"
    renamed = both(photo("images"), inside("model"))
    yield CommandEntry(posed, "photo and reference", renamed)
    yield CommandEntry(posed, "reference", inside("model"))
    yield CommandEntry(
        f"{posed} --image-list map_images.txt", "image list", inside("map_images.txt")
    )
    yield CommandEntry(f"{posed} --masks masks", "photo with mask", both(renamed, photo("masks")))
    yield CommandEntry(f"{posed} --depth depth", "photo with depth", both(renamed, photo("depth")))
    yield CommandEntry(
        f"{posed} --depth depth.json", "depth file", inside("depth.json", (b"first.png",))
    )
    yield CommandEntry(f"{posed} --pairs pairs.txt", "pairs", inside("pairs.txt"))
    yield CommandEntry(f"{_MAP} --cameras cameras.txt", "cameras", inside("cameras.txt"))
    listed = f"{_MAP} --reference map_poses.txt --cameras cameras.txt"
    yield CommandEntry(listed, "poses and cameras", inside("map_poses.txt cameras.txt"))
    yield CommandEntry(f"{_MAP} --from-hloc hloc", "hloc's files", inside("hloc"))
    given = f"map given -o out/map {_MODELS}"
    database = "--from-colmap given/database.db"
    yield CommandEntry(
        f"{given} {database}", "features of COLMAP", sample("COLMAP database, features")
    )
    yield CommandEntry(f"{given} --from-kapture given", "kapture", sample("kapture, files"))
    for each in SAMPLES:
        if each.kind and each.name not in NAMELESS:
            entry = "" if each.entry == "." else f"/{each.entry}"
            kind = f"{given} --reference given{entry} --cameras cameras.txt"
            yield CommandEntry(kind, f"reference, {each.name}", sample(each.name))
    for option in ("--features", "--retrieval", "--matcher", "--pairs", "--reference-kind",
                   "--depth-camera", "--labels", "--device"):  # fmt: skip
        yield _paths(f"{posed} {option} {{}}", option)
    for option in ("--reference", "--image-list", "--cameras", "--masks", "--surface",
                   "--from-colmap", "--from-hloc", "--from-kapture", "--config"):  # fmt: skip
        yield _paths(f"{_MAP} {option} {{}}", option)
    yield _paths(f"map {{}} -o out/map {_MODELS}", "IMAGES")
    yield _paths(f"map images -o {{}} {_MODELS} --reference model", "--output")
    yield CommandEntry(f"{_MAP} --set {{}}=1", "key of --set")
    yield CommandEntry(f"{_MAP} --set semantics.source={{}}", "value of --set")


def _localizing() -> Iterator[CommandEntry]:
    yield CommandEntry(f"localize map {_REPORT}", "photo", photo("queries"))
    yield CommandEntry("localize map queries/{}", "photo as argument", photo("queries"))
    yield _paths("localize map {}", "PHOTO")
    lists = f"localize map {_REPORT} --queries queries.txt"
    unreported = f"localize map {_ON_QUERIES} --queries queries.txt"
    yield CommandEntry(unreported, "query list", inside("queries.txt"))
    yield CommandEntry(
        f"localize map {_ON_QUERIES} --truth gt.txt --report out/report", "truth", inside("gt.txt")
    )
    renamed = both(photo("queries"), inside("queries.txt gt.txt"))
    yield CommandEntry(f"{lists} --truth gt.txt", "photo, list and truth", renamed)
    of_given = "localize map --images given -o out/p.txt --queries"
    for title, file in (("COLMAP database", "/database.db"), ("kapture", ""),
                        ("LaMAR capture session", ""), ("NVM", "/m.nvm")):  # fmt: skip
        yield CommandEntry(f"{of_given} given{file}", f"queries, {title}", sample(title))
    rig = f"localize map {_ON_QUERIES} --queries queries.txt --rig given"
    config = sample("COLMAP rig_config.json", (b"left",))
    yield CommandEntry(f"{rig}/rig_config.json", "rig config", config)
    yield CommandEntry(rig, "rig of a model", sample("rig of a model"))
    for kind in ("map", "compact"):
        yield CommandEntry(f"localize {kind} {_REPORT}", f"image of {kind}", in_map)
        geopose = f"localize {kind} queries/q1.png --labels none"
        yield CommandEntry(geopose, f"image of {kind}, one photo", in_map)
    for option in ("--camera", "--labels", "--depth", "--config", "--also", "--device",
                   "--near", "--gps"):  # fmt: skip
        yield _paths(f"localize map queries/q1.png {option} {{}}", option)
    for option in ("--queries", "--rig", "--truth", "--map-images", "--report", "--jsonl",
                   "--geopose"):  # fmt: skip
        yield _paths(f"localize map --images queries -o out/p.txt {option} {{}}", option)
    yield _paths("localize {} queries/q1.png", "MAP")
    yield _paths("localize map --images {} -o out/p.txt", "--images")
    yield _paths("localize map --images queries -o {}", "--output")


def _scoring() -> Iterator[CommandEntry]:
    report = "--report out/report"
    scored = "evaluate poses.txt gt.txt --results results.jsonl --json out/s.json"
    yield CommandEntry(f"{scored} {report}", "poses, truth and results", inside(_SCORES))
    yield CommandEntry(f"{scored} --by-folder", "folders of poses", inside(_SCORES))
    yield CommandEntry(scored, "poses", inside("poses.txt"))
    yield CommandEntry(scored, "truth", inside("gt.txt"))
    yield CommandEntry(scored, "results", inside("results.jsonl"))
    yield CommandEntry(f"evaluate poses.txt {{}}=gt.txt {report}", "condition")
    groups = "evaluate poses.txt a=gt.txt b=gt.txt --group"
    yield CommandEntry(f"{groups} {{}}=a,b {report}", "group")
    yield CommandEntry(f"{groups} c={{}},b", "member of a group")
    ranked = "retrieval evaluate pairs.txt --truth hloc/sfm --query-names asked.txt"
    ranked += " --protocol covisible --json out/s.json"
    yield CommandEntry(ranked, "rankings", inside("pairs.txt"))
    yield CommandEntry(ranked, "rankings, queries and truth", inside("pairs.txt asked.txt hloc"))
    yield CommandEntry(ranked.replace("covisible", "{}"), "--protocol")
    for option in ("--truth", "--query-names", "--map-names", "--json"):
        yield _paths(f"{ranked} {option} {{}}", option)
    compared = (
        f"poses.txt map_poses.txt --truth gt.txt --markdown out/m.md --latex out/l.tex {report}"
    )
    pictures = f"compare {compared} --images queries --map map"
    yield CommandEntry(f"compare {compared}", "poses and truth", inside("poses.txt gt.txt"))
    yield CommandEntry(
        pictures.replace("map_poses", "gt"), "photo", both(photo("queries"), inside(_SCORES))
    )
    yield CommandEntry(pictures.replace("map_poses", "gt"), "image of map", in_map)
    named = "compare {}=poses.txt b=gt.txt --truth gt.txt --markdown out/m.md --latex out/l.tex"
    yield CommandEntry(f"{named} --json out/c.json {report}", "name of results")
    yield CommandEntry(f"compare a=poses.txt b=gt.txt --truth {{}}=gt.txt {report}", "condition")
    for option in ("--report", "--markdown", "--latex", "--json", "--truth", "--images"):
        base = "compare poses.txt b=gt.txt --truth gt.txt"
        yield _paths(f"{base} {option} {{}}", option)
    for option in ("--report", "--json", "--results", "--thresholds", "--dataset"):
        yield _paths(f"evaluate poses.txt gt.txt {option} {{}}", option)
    yield _paths("evaluate {} gt.txt", "POSES")
    yield _paths("evaluate poses.txt {}", "TRUTH")


def _of_maps() -> Iterator[CommandEntry]:
    for kind in ("map", "compact"):
        for verb in ("info {}", "info {} --json", "info {} --verify", "calibrate {} --seconds 3",
                     "compress {} -o out/c", "export hloc {} -o out/e", "export colmap {} -o out/e",
                     "export kapture {} -o out/e", "export nerfstudio {} -o out/t.json",
                     "georeference {} --exif images", "georeference {} --positions gps.csv",
                     "surface {} --depth depth --images images -o out/s.ply",
                     "surface {} --points -o out/s.ply", "config show --of {}",
                     "view {} --results results.jsonl --truth gt.txt --export out/v.html",
                     f"map images -o out/map --reference {{}} {_MODELS}"):  # fmt: skip
            yield CommandEntry(verb.replace("{}", kind), f"image of {kind}", in_map)
    for verb in ("info map", "info map --verify", "compress map -o out/c", "info map --json"):
        yield CommandEntry(verb, "file of the map's header", in_header)
    yield CommandEntry("georeference map --positions gps.csv", "positions", inside("gps.csv"))
    viewed = "view map --results results.jsonl --truth gt.txt --export out/v.html"
    yield CommandEntry(viewed, "results and truth", inside("results.jsonl gt.txt"))
    yield CommandEntry(viewed, "results", inside("results.jsonl"))
    yield CommandEntry("export nerfstudio map -o out/t.json --prefix {}", "--prefix")
    for command in ("info {}", "calibrate {}", "compress {} -o out/c", "compress map -o {}",
                    "export hloc {} -o out/e", "export hloc map -o {}", "export colmap map -o {}",
                    "export kapture map -o {}", "export nerfstudio map -o {}", "view {}",
                    "view map --export {}", "view map --results {}", "view map --config {}",
                    "georeference {} --exif images", "georeference map --exif {}",
                    "georeference map --positions {}", "surface {}", "surface map --depth {}",
                    "surface map --scan {}", "surface map --points -o {}"):  # fmt: skip
        yield _paths(command, "path")


def _of_data_sets() -> Iterator[CommandEntry]:
    models = "--set features.name=rootsift --set retrieval.name=thumbnail --offline"
    for name, names in LISTED.items():
        root = f"--root data/{name}"
        listed = inside(f"data/{name}", [each.encode() for each in names])
        yield CommandEntry(f"benchmark {name} {root} -o out {models}", f"files of {name}", listed)
        yield CommandEntry(f"dataset check {name} {root}", f"files of {name}", listed)
    run = f"benchmark custom --root town -o out {models} --dry-run"
    yield CommandEntry(
        run, "lists and model", inside("town/map_images.txt town/queries.txt town/model")
    )
    yield CommandEntry(run, "query and truth", inside("town/queries.txt town/gt.txt"))
    for option in ("--part", "--config", "--set", "--device"):
        yield CommandEntry(f"{run} {option} {{}}", option)
    yield CommandEntry("benchmark {} --root town", "NAME")
    yield _paths("benchmark custom --root {}", "--root")
    for verb in ("check", "get"):
        yield CommandEntry(f"dataset {verb} {{}} --root town", "NAME")
        yield _paths(f"dataset {verb} custom --root {{}}", "--root")
    yield CommandEntry("dataset info {}", "NAME")
    for name in SUBMISSION_FORMS:
        write = f"submission write poses.txt --dataset {name} -o out/s"
        yield CommandEntry(f"{write}.txt --confidences results.jsonl", name, inside(_SCORES[:9]))
        check = f"submission check poses.txt --dataset {name} --queries queries.txt --map model"
        yield CommandEntry(check, name, inside("poses.txt"))
    yield CommandEntry(check, "queries and model", inside("queries.txt model"))
    yield CommandEntry("submission write poses.txt --dataset {} -o out/s.txt", "--dataset")
    yield CommandEntry("submission check poses.txt --dataset {}", "--dataset")
    yield CommandEntry(f"{write}.zip --description {{}}", "--description")
    yield _paths("submission write {} --dataset aachen -o out/s.txt", "POSES")
    yield _paths("submission write poses.txt --dataset aachen -o {}", "--output")
    yield _paths("submission check {} --dataset aachen", "FILE")
    yield CommandEntry("submission check given.zip --dataset mapfree", "zip", zipped)
    scored = "evaluate given.zip --dataset mapfree --root data/mapfree"
    yield CommandEntry(scored, "zip", zipped)


def _others() -> Iterator[CommandEntry]:
    yield CommandEntry("serve {}=missing", "name of a map")
    yield CommandEntry("serve x=missing --photos {}=images", "name of a map's photos")
    yield CommandEntry("serve x=map --photos {}=images", "photos of an unknown map")
    yield _paths("serve {}", "MAP")
    for option in ("--token-file", "--allow-host", "--allow-origin", "--host", "--config"):
        yield _paths(f"serve x=missing {option} {{}}", option)
    rendered = "town render --map 1 --queries 1 --size 64x48 --jobs 1 -o"
    for option in ("--layout", "--conditions", "--size"):
        yield CommandEntry(f"{rendered} out {option} {{}}", option)
    yield CommandEntry("video videos/{} -o out", "VIDEO", video)
    yield _paths("video {} -o out", "path")
    yield _paths("video given/v.avi -o {}", "--output")
    yield CommandEntry("weights fetch {}", "NAME")
    yield CommandEntry("config show {}", "SECTION")
    yield CommandEntry("config get {}", "KEY")
    yield _paths("config show --of {}", "--of")
    yield _paths("config get pose.max_error_px --of {}", "--of")
    yield _paths("config diff {} fast", "FIRST")
    yield _paths("config diff {} {}", "both")
    yield CommandEntry("{}", "verb")
    yield CommandEntry("-q --{}", "option")
