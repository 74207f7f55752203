"""``hloc-lite serve``: an HTTP service that localizes photos in one or several maps."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import (
    F,
    config_options,
    max_wrong_option,
    nested_settings,
    runtime_options,
    trust_option,
    validate_section,
)
from hloc_lite.errors import ConfigError
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.serve.config import ServeConfig

if TYPE_CHECKING:
    from hloc_lite.config import Config
    from hloc_lite.serve.map_pool import Localizes, OpenLocalizer

TOKEN_VARIABLE = "HLOC_LITE_TOKEN"
MIN_TOKEN_CHARS = 16


def _limit(flag: str, name: str, kind: type, text: str) -> Callable[[F], F]:
    """Make an option for a field of ``ServeConfig``, with the field's default."""
    default = ServeConfig.model_fields[name].default
    return click.option(flag, name, type=kind, default=default, show_default=True, help=text)


@click.command("serve")
@click.argument("maps", nargs=-1, required=True, metavar="[NAME=]MAP...")
@_limit(
    "--host",
    "host",
    str,
    "Address to listen on; by default reachable from this machine only. Others need a token.",
)
@_limit("--port", "port", int, "TCP port; 0 takes a free one.")
@_limit("--workers", "workers", int, "Photos localized at the same time.")
@_limit(
    "--queue", "queue_size", int, "Photos that may wait for a worker; more are answered with 429."
)
@_limit("--max-upload-mb", "max_upload_mb", float, "Largest request body, MB.")
@_limit("--max-megapixels", "max_megapixels", float, "Largest image, megapixels.")
@_limit("--decode-memory-mb", "decode_memory_mb", float, "Memory to decode an image, MB.")
@_limit("--job-timeout", "job_timeout_s", float, "Time from upload to answer, seconds.")
@_limit("--upload-timeout", "upload_timeout_s", float, "Time to receive a request body, seconds.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Additional Host name to accept: that of a proxy, or of this machine in its network.",
)
@click.option(
    "--allow-origin",
    "allowed_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Web origin whose pages may send photos, e.g. https://example.org; * for all.",
)
@click.option(
    "--photos",
    "photo_arguments",
    multiple=True,
    metavar="[NAME=]FOLDER",
    help="Folder of a map's photos; the page shows them beside those sent. Everyone who can reach "
    "the server can see them.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File with the bearer token that requests must send.  "
    f"[default: ${TOKEN_VARIABLE}, if set]",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Listen beyond this machine without a token: everyone who can reach the address may use "
    "the service.",
)
@trust_option
@max_wrong_option
@config_options
@runtime_options
def command(
    maps: tuple[str, ...],
    host: str,
    port: int,
    workers: int,
    queue_size: int,
    max_upload_mb: float,
    max_megapixels: float,
    decode_memory_mb: float,
    job_timeout_s: float,
    upload_timeout_s: float,
    token_file: Path | None,
    insecure: bool,
    allowed_hosts: tuple[str, ...],
    allowed_origins: tuple[str, ...],
    photo_arguments: tuple[str, ...],
    trust: bool,
    max_wrong: float | None,
    config_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    offline: bool,
) -> None:
    """Localize photos sent by HTTP POST in one or several MAPs.

    Open / in a browser to try it; /docs describes the HTTP interface. On SIGTERM, running requests
    are finished first.
    """
    require_extra("serve", "the service")
    from hloc_lite.config import load_config
    from hloc_lite.serve.map_photos import parse_photo_arguments
    from hloc_lite.serve.map_pool import check_map_folders, parse_map_arguments
    from hloc_lite.serve.server import serve

    limits = {
        "host": host,
        "port": port,
        "allowed_hosts": allowed_hosts,
        "allowed_origins": allowed_origins,
        "insecure": insecure,
        "workers": workers,
        "queue_size": queue_size,
        "max_upload_mb": max_upload_mb,
        "max_megapixels": max_megapixels,
        "decode_memory_mb": decode_memory_mb,
        "job_timeout_s": job_timeout_s,
        "upload_timeout_s": upload_timeout_s,
    }
    config = validate_section(ServeConfig, limits)
    token = read_token(token_file)
    config.check_token(token)
    folders = parse_map_arguments(maps)
    check_map_folders(folders)
    photos = parse_photo_arguments(photo_arguments, folders)
    load = partial(
        load_config,
        file=config_file,
        settings=settings,
        overrides=nested_settings({"confidence.max_wrong": max_wrong}),
    )
    open_localizer = _localizer_opener(trust, load, device, offline)
    serve(folders, config, open_localizer, token, photos)


def read_token(file: Path | None) -> str | None:
    """Read the token from a file or the environment; None if neither is given.

    Raises:
        ConfigError: an unreadable file, or a token that is too short or not printable ASCII.
    """
    source = f"${TOKEN_VARIABLE}" if file is None else str(file)
    try:
        text = os.environ.get(TOKEN_VARIABLE) if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the token file {file}: {error}") from None
    if text is None:
        return None
    token = text.strip()
    if len(token) < MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"the token in {source} must have {MIN_TOKEN_CHARS} or more printable ASCII "
            f"characters, got {len(token)} characters; make one with: openssl rand -hex 32"
        )
    return token


def _localizer_opener(
    trust: bool, load: Callable[..., Config], device: str, offline: bool
) -> OpenLocalizer:
    """Function that opens a localizer; ``load`` makes its config from that of the map."""

    def open_localizer(folder: Path) -> Localizes:
        from hloc_lite.io.weights import WeightsStore
        from hloc_lite.localize.localizer import Localizer
        from hloc_lite.maps.limited_reading import check_map
        from hloc_lite.maps.map import Map
        from hloc_lite.serve.server import warm_up

        check_map(folder, trust=trust)  # in another process: a bad map must not end this one
        sfm_map = Map.open(folder, trust=trust)
        weights = WeightsStore(offline=offline)
        localizer = Localizer(sfm_map, load(base=sfm_map.config), weights=weights, device=device)
        warm_up(localizer)
        return localizer

    return open_localizer
