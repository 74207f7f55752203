"""``hloc-lite video``: video -> photos."""

from __future__ import annotations

from pathlib import Path

import click

from hloc_lite.cli.options import mark_resumable, note, say, show_progress
from hloc_lite.errors import counted


@click.command("video")
@click.argument("video", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="IMAGES",
    help="Folder of the frames, of this video only.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    help="Frames kept of each second: the sharpest of each interval.",
)
def command(video: Path, output: Path, fps: float) -> None:
    """Write the sharpest frames of VIDEO as photos to map.

    Run the same command again to resume an interrupted one.
    """
    from tqdm import tqdm

    from hloc_lite.formats.video import extract_frames

    mark_resumable()
    with tqdm(unit="frame", disable=not show_progress(), leave=False) as bar:

        def show(num_read: int, num_stated: int) -> None:
            bar.total = num_stated or None
            bar.update(num_read - bar.n)

        found = extract_frames(video, output, fps=fps, progress=show)
    if found.is_cut_off:
        note(
            f"{video} says it has {counted(found.num_stated, 'frame')}, only {found.num_read} can "
            f"be read: it is damaged or was cut off"
        )
    say(f"{output}: {counted(len(found.names), 'photo')} of {counted(found.num_read, 'frame')}")
