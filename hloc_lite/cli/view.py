"""``hloc-lite view``: an interactive 3D page of a map, its queries and their truth."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import (
    OutputFile,
    config_options,
    max_wrong_option,
    nested_settings,
    note,
    runtime_options,
    say,
    trust_option,
    validate_section,
)
from hloc_lite.errors import ConfigError
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.viz.config import ViewConfig

if TYPE_CHECKING:
    from hloc_lite.config import Config
    from hloc_lite.maps.map import Map
    from hloc_lite.types import Camera, LocalizationResult, Photo
    from hloc_lite.viz.inspection import Inspector
    from hloc_lite.viz.scene import Scene

_DEFAULTS = ViewConfig()
WAKE_S = 1.0
"""Time between two looks for Ctrl-C: Windows does not interrupt a wait without end."""


@dataclass(frozen=True)
class PhotoOptions:
    """Where the page finds photos, and how it localizes them."""

    images: Path | None
    query_lists: tuple[Path, ...]
    map_images: Path | None
    device: str
    offline: bool


@click.command("view")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option(
    "--results",
    "results_file",
    type=click.Path(path_type=Path),
    help="Results of queries in MAP (localize --jsonl).",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    multiple=True,
    help="True poses of the queries, 'name qw qx qy qz tx ty tz' per line. May be given several "
    "times.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of the query photos, for pictures of their matches and views.",
)
@click.option(
    "--queries",
    "query_lists",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Query list with intrinsics, as for `hloc-lite localize`.",
)
@click.option(
    "--map-images",
    type=click.Path(path_type=Path),
    help="Folder of the map images.  [default: where they were when the map was built]",
)
@click.option(
    "--export",
    "export_file",
    type=OutputFile(),
    metavar="HTML",
    help="Write the scene to one file that opens offline, in place of serving the page.",
)
@click.option(
    "--max-points",
    type=int,
    default=_DEFAULTS.max_points,
    show_default=True,
    help="Most points or triangles shown; of more, an even share.",
)
@click.option(
    "--host",
    default=_DEFAULTS.host,
    show_default=True,
    help="Address to listen on; by default reachable from this machine only.",
)
@click.option(
    "--port",
    type=int,
    default=_DEFAULTS.port,
    show_default=True,
    help="TCP port; 0 takes a free one.",
)
@click.option(
    "--max-upload-mb",
    type=float,
    default=_DEFAULTS.max_upload_mb,
    show_default=True,
    help="Largest photo taken, MB.",
)
@click.option(
    "--max-megapixels",
    type=float,
    default=_DEFAULTS.max_megapixels,
    show_default=True,
    help="Largest photo taken, megapixels.",
)
@trust_option
@max_wrong_option
@config_options
@runtime_options
def command(
    map_folder: Path,
    results_file: Path | None,
    truth: tuple[Path, ...],
    images: Path | None,
    query_lists: tuple[Path, ...],
    map_images: Path | None,
    export_file: Path | None,
    max_points: int,
    host: str,
    port: int,
    max_upload_mb: float,
    max_megapixels: float,
    trust: bool,
    max_wrong: float | None,
    config_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    offline: bool,
) -> None:
    """Show MAP and queries in 3D, in a browser.

    The page shows points or surface, cameras, and queries by confidence, with their uncertainty and
    errors. A click on a query shows its matches, and how the map looks from its pose. Photos that
    are sent in are localized.
    """
    values = {
        "host": host, "port": port, "max_points": max_points,
        "max_upload_mb": max_upload_mb, "max_megapixels": max_megapixels,
    }  # fmt: skip
    config = validate_section(ViewConfig, values)
    _check_usage(results_file, truth, images, query_lists, export_file)
    require_extra("viz", "the 3D page")
    from hloc_lite.config import load_config
    from hloc_lite.evaluation.conditions import read_conditions
    from hloc_lite.evaluation.metrics import merge_conditions
    from hloc_lite.io.results import read_results_jsonl
    from hloc_lite.maps.map import Map
    from hloc_lite.viz.scene import build_scene, counts_text

    results = [] if results_file is None else read_results_jsonl(results_file)
    true_poses = merge_conditions(read_conditions([str(file) for file in truth])) if truth else None
    sfm_map = Map.open(map_folder, trust=trust)
    promise = nested_settings({"confidence.max_wrong": max_wrong})
    query_config = load_config("balanced", config_file, settings, promise, sfm_map.config)
    scene = build_scene(sfm_map, results, true_poses, config, map_folder.resolve().name)
    for line in counts_text(scene):
        say(line)
    if export_file is not None:
        from hloc_lite.viz.export import export_page

        say(f"{export_file}: {export_page(export_file, scene):,} bytes")
        return
    options = PhotoOptions(images, query_lists, map_images, device, offline)
    _serve(scene, config, _inspector_opener(sfm_map, results, query_config, config, options))


def _check_usage(
    results_file: Path | None,
    truth: Sequence[Path],
    images: Path | None,
    query_lists: Sequence[Path],
    export_file: Path | None,
) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: truth or photos of queries without results, or lists without photos.
    """
    if results_file is None and (truth or images):
        raise ConfigError(
            "--truth and --images belong to queries: give their results with --results FILE, which "
            "`hloc-lite localize --jsonl FILE` writes"
        )
    if query_lists and images is None:
        raise ConfigError("--queries gives intrinsics of photos: give their folder with --images")
    if export_file is not None and export_file.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--export writes a page: expected a name .html, got {export_file}")
    if export_file is not None and images is not None:
        note("--images is not used: an exported page has no photos")


def _serve(scene: Scene, config: ViewConfig, open_inspector: Callable[[], Inspector]) -> None:
    """Serve the page until Ctrl-C."""
    from hloc_lite.viz.page import Page
    from hloc_lite.viz.server import page_address, running_server

    if not config.loopback:
        note(
            f"listening on {config.host}: everyone who can reach this address sees the map and the "
            f"photos, and can send some"
        )
    with suppress(KeyboardInterrupt), running_server(config) as server:
        page = Page(server, scene, config, open_inspector)
        with _interrupted() as interrupt:
            say(f"open {page_address(server, config)} in a browser; end with Ctrl-C")
            while not interrupt.wait(WAKE_S):
                pass
        page.close()


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Event that Ctrl-C sets while the block runs.

    A ``KeyboardInterrupt`` is lost where it meets the collection of garbage, which Python lets no
    exception leave; the page would be served on.
    """
    event = threading.Event()
    previous = signal.signal(signal.SIGINT, lambda number, frame: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


def _inspector_opener(
    sfm_map: Map,
    results: Sequence[LocalizationResult],
    query_config: Config,
    config: ViewConfig,
    options: PhotoOptions,
) -> Callable[[], Inspector]:
    """Function that loads the networks; folders and lists of photos are checked at once.

    Raises:
        HlocLiteError: no such folder, no photos in it, or a list that cannot be read.
    """
    from hloc_lite.cli.queries import read_query_cameras
    from hloc_lite.evaluation.names import align_names
    from hloc_lite.evaluation.photos import photo_loader
    from hloc_lite.io.image_sources import FolderSource, check_image_folder
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.localize.localizer import Localizer
    from hloc_lite.viz.inspection import Inspector

    cameras: Mapping[str, Camera | None] = {}
    load_query = photo_loader(None)
    if options.images is not None:
        listed = read_query_cameras((), options.images, options.query_lists, None)
        names = align_names([result.query_name for result in results], listed).true_names
        cameras = {query: listed[name] for query, name in names.items()}
        in_folder = photo_loader(FolderSource(options.images, tuple(listed), query_config.images))

        def load_query(name: str) -> Photo | None:
            return in_folder(names[name]) if name in names else None

    photos = sfm_map.photos
    if options.map_images is not None:
        check_image_folder(options.map_images)
        photos = FolderSource(options.map_images, (), sfm_map.config.images)

    def open_inspector() -> Inspector:
        weights = WeightsStore(offline=options.offline)
        localizer = Localizer(sfm_map, query_config, weights=weights, device=options.device)
        return Inspector(localizer, load_query, photo_loader(photos), cameras, config)

    return open_inspector
