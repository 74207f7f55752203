"""``hloc-lite serve``: maps -> an HTTP service."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import F, config_options, runtime_options, section_of
from hloc_lite.errors import ConfigError
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.serve.config import ServeConfig

if TYPE_CHECKING:
    from hloc_lite.serve.locating import Locates
    from hloc_lite.serve.maps import Opener

TOKEN_VARIABLE = "HLOC_LITE_TOKEN"
MIN_TOKEN_CHARS = 16


def _limit(flag: str, name: str, kind: type, meaning: str) -> Callable[[F], F]:
    """An option for a field of ``ServeConfig``, whose default is the field's."""
    default = ServeConfig.model_fields[name].default
    return click.option(flag, name, type=kind, default=default, show_default=True, help=meaning)


@click.command("serve")
@click.argument("maps", nargs=-1, required=True, metavar="[NAME=]MAP...")
@_limit("--host", "host", str, "Address to listen at; the default: this machine only.")
@_limit("--port", "port", int, "Port; 0 takes a free one.")
@_limit("--workers", "workers", int, "Photos localized at once.")
@_limit("--queue", "queue_size", int, "Photos that may wait.")
@_limit("--max-upload-mb", "max_upload_mb", float, "Largest body.")
@_limit("--max-megapixels", "max_megapixels", float, "Largest image.")
@_limit("--job-timeout", "job_timeout_s", float, "Seconds from a photo to its answer.")
@_limit("--upload-timeout", "upload_timeout_s", float, "Seconds that a body may take.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A further name that a proxy on this machine calls the server by.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help=f"File with the token that requests must bear; without: ${TOKEN_VARIABLE}, or none.",
)
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
    job_timeout_s: float,
    upload_timeout_s: float,
    token_file: Path | None,
    allowed_hosts: tuple[str, ...],
    config_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    offline: bool,
) -> None:
    """Answer photos sent by POST with where they were taken, in one or several MAPs.

    GET / is a page to try it, /docs says what may be asked. Ends in good order on SIGTERM.
    """
    require_extra("serve", "the service")
    from hloc_lite.serve.maps import check_folders, folders_of
    from hloc_lite.serve.run import serve

    limits = {
        "host": host,
        "port": port,
        "allowed_hosts": (*ServeConfig().allowed_hosts, *allowed_hosts),
        "workers": workers,
        "queue_size": queue_size,
        "max_upload_mb": max_upload_mb,
        "max_megapixels": max_megapixels,
        "job_timeout_s": job_timeout_s,
        "upload_timeout_s": upload_timeout_s,
    }
    config = section_of(ServeConfig, limits)
    token = read_token(token_file)
    folders = folders_of(maps)
    check_folders(folders)
    serve(folders, config, _opener(config_file, settings, device, offline), token)


def read_token(file: Path | None) -> str | None:
    """The token of a file, or of the environment; None: none is asked for.

    Raises:
        ConfigError: the file cannot be read, or a token that is too short or of odd characters.
    """
    source = f"${TOKEN_VARIABLE}" if file is None else str(file)
    try:
        text = os.environ.get(TOKEN_VARIABLE) if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the token in {file}: {error}") from None
    if text is None:
        return None
    token = text.strip()
    if len(token) < MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"the token in {source} must have {MIN_TOKEN_CHARS} or more printable ASCII "
            f"characters, got {len(token)} characters; make one with: openssl rand -hex 32"
        )
    return token


def _opener(
    config_file: Path | None, settings: tuple[str, ...], device: str, offline: bool
) -> Opener:
    def opened(folder: Path) -> Locates:
        from hloc_lite.config import load_config
        from hloc_lite.io.weights import WeightsStore
        from hloc_lite.localize.localizer import Localizer
        from hloc_lite.mapping.map import Map
        from hloc_lite.serve.run import warm_up

        place = Map.open(folder)
        config = load_config(file=config_file, settings=settings, base=place.config)
        weights = WeightsStore(offline=offline)
        localizer = Localizer(place, config, weights=weights, device=device)
        warm_up(localizer)
        return localizer

    return opened
