"""hloc's ``visualization``: pictures of models and localized queries, as PNG files."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.compat.hloc.inputs import model_of
from hloc_lite.compat.hloc.query_picture import draw_query, read_unturned, write_png
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.hloc.logs import read_log
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import (
    NO_POINT,
    Rigid3,
)

DEFAULT_FOLDER = Path("visualization")
"""Where pictures are written, below the working folder."""
COLORINGS = ("visibility", "track_length", "depth")


def visualize_sfm_2d(
    reconstruction: Any,
    image_dir: Path | str,
    color_by: str = "visibility",
    selected: Sequence[int] = (),
    n: int = 1,
    seed: int = 0,
    dpi: int = 75,
    output: Path | str = DEFAULT_FOLDER,
) -> list[Path]:
    """Draw the keypoints of map images.

    Args:
        reconstruction: SfM model: a folder, or a ``pycolmap.Reconstruction``.
        image_dir: folder of the photos.
        color_by: ``visibility`` (blue with a point, else red), ``track_length`` or ``depth``.
        selected: image ids; none for random ones.
        n: number of random images.
        seed: seed of their choice.
        dpi: resolution; a photo is eight inches wide.
        output: folder of the pictures.

    Returns:
        The PNG files.

    Raises:
        ConfigError: unknown colouring, or image id.
        ImageError: a photo that cannot be read.
    """
    if color_by not in COLORINGS:
        raise ConfigError(f"color_by: expected {', '.join(COLORINGS)}, got {color_by!r}")
    model = model_of(reconstruction)
    by_id = {image.image_id: image for image in model.images}
    unknown = [image_id for image_id in selected if image_id not in by_id]
    if unknown:
        raise ConfigError(f"the model has no image of the id {unknown[0]}")
    chosen = list(selected) or random.Random(seed).sample(sorted(by_id), min(n, len(by_id)))
    return [
        _draw_keypoints(model, by_id[image_id], Path(image_dir), color_by, dpi, Path(output))
        for image_id in chosen
    ]


def visualize_loc(
    results: Path | str,
    image_dir: Path | str,
    reconstruction: Any = None,
    db_image_dir: Path | str | None = None,
    selected: Sequence[str] = (),
    n: int = 1,
    seed: int = 0,
    prefix: str | None = None,
    output: Path | str = DEFAULT_FOLDER,
    **_unused: Any,
) -> list[Path]:
    """Draw queries of ``localize_sfm`` beside the map image that sees most of their inliers.

    The log is read without unpickling it, so it may come from anywhere.

    Args:
        results: file of poses; the log lies beside it.
        image_dir: folder of the queries.
        reconstruction: SfM model they were localized in.
        db_image_dir: folder of the map images; None for the same.
        selected: names of queries; none for random ones.
        n: number of random queries.
        seed: seed of their choice.
        prefix: beginning of the names to choose from.
        output: folder of the pictures.

    Returns:
        The PNG files.

    Raises:
        FormatError: no such log, or of other points.
        ConfigError: no model, or an unknown query.
    """
    if reconstruction is None:
        raise ConfigError("give the reconstruction: logs of InLoc cannot be drawn")
    model, log = model_of(reconstruction), read_log(Path(f"{results}_logs.pkl"))
    unknown = [name for name in selected if name not in log.queries]
    if unknown:
        raise ConfigError(f"the log has no query {unknown[0]!r}")
    names = [name for name in log.queries if name.startswith(prefix or "")]
    chosen = list(selected) or random.Random(seed).sample(names, min(n, len(names)))
    drawn = []
    for name in chosen:
        logged = log.queries[name]
        estimate = logged.estimate or (logged.clusters[0] if logged.clusters else None)
        if estimate is None or estimate.point3D_ids is None:
            raise FormatError(f"the log has no matches of {name!r} with points")
        drawn.append(
            draw_query(
                name, Path(image_dir), Path(db_image_dir or image_dir), model,
                (estimate.map_images, estimate.keypoints, estimate.point3D_ids),
                (estimate.cam_from_world, estimate.inlier_mask), Path(output),
            )
        )  # fmt: skip
    return drawn


def visualize_loc_from_log(
    image_dir: Path | str,
    query_name: str,
    loc: Mapping[str, Any],
    reconstruction: Any = None,
    db_image_dir: Path | str | None = None,
    top_k_db: int = 1,
    dpi: int = 75,
    output: Path | str = DEFAULT_FOLDER,
) -> Path:
    """Draw a query by the log that ``pose_from_cluster`` returned; arguments as above.

    Only the map image with most inliers is drawn.
    """
    if reconstruction is None:
        raise ConfigError("give the reconstruction: logs of InLoc cannot be drawn")
    if loc.get("covisibility_clustering"):
        loc = loc["log_clusters"][loc["best_cluster"] or 0]
    answer = loc["PnP_ret"]
    pose = None if answer is None else Rigid3(np.eye(3), np.zeros(3))  # only its presence is drawn
    return draw_query(
        query_name, Path(image_dir), Path(db_image_dir or image_dir), model_of(reconstruction),
        (loc["db"], loc["keypoints_query"], loc["points3D_ids"]),
        (pose, None if answer is None else answer["inlier_mask"]), Path(output),
    )  # fmt: skip


def _draw_keypoints(
    model: SfmModel, image: SfmImage, folder: Path, color_by: str, dpi: int, output: Path
) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    photo = read_unturned(folder, image.name)
    visible = image.point3D_idxs != NO_POINT
    points, colors, text = keypoints_of(model, image), visible.astype(float), ""
    if color_by == "track_length":
        lengths = _track_lengths(model)[image.point3D_idxs] * visible + ~visible
        colors = np.log(lengths)
        text = f"; longest track {int(lengths.max(initial=1))}"
    elif color_by == "depth":
        points = points[visible]
        depths = image.cam_from_world.apply(model.xyz[image.point3D_idxs[visible]])[:, 2]
        colors = np.clip(depths, None, np.percentile(depths, 99.9) if len(depths) else 0)
    size = 8, 8 * photo.height / photo.width
    figure = Figure(figsize=size, dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(photo.pixels, extent=(0, photo.width, photo.height, 0))
    axes.scatter(
        points[:, 0],
        points[:, 1],
        c=colors,
        cmap="jet_r" if color_by == "visibility" else "jet",
        s=4,
    )
    axes.set(xlim=(0, photo.width), ylim=(photo.height, 0))
    axes.set_axis_off()
    label = f"{image.name}: {int(visible.sum())} of {len(visible)} have a point{text}"
    axes.text(0.01, 0.99, label, transform=axes.transAxes, va="top", color="white",
              bbox={"facecolor": "black", "alpha": 0.5, "linewidth": 0})  # fmt: skip
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return write_png(output, f"sfm_{image.name}", buffer.getvalue())


def _track_lengths(model: SfmModel) -> npt.NDArray[np.int64]:
    rows = [image.point3D_idxs[image.point3D_idxs != NO_POINT] for image in model.images]
    return np.bincount(np.concatenate(rows), minlength=model.num_points)
