"""Options of pycolmap's triangulation and mappers, from the config."""

from __future__ import annotations

from typing import Any

from hloc_lite.config import MappingConfig, ScratchConfig
from hloc_lite.io.pycolmap_adapter import load_pycolmap


def incremental_options(config: MappingConfig, num_images: int) -> Any:
    """pycolmap's ``IncrementalPipelineOptions``, for triangulation and the incremental mapper."""
    options = load_pycolmap().IncrementalPipelineOptions()
    _set(
        options,
        num_threads=config.threads,
        random_seed=config.seed,
        extract_colors=False,
        min_model_size=3,
        ba_use_gpu=False,
    )
    _set(
        options.mapper,
        filter_max_reproj_error=config.max_reprojection_error_px,
        filter_min_tri_angle=config.min_triangulation_angle_deg,
        num_threads=config.threads,
        random_seed=config.seed,
    )
    _set(
        options.triangulation,
        min_angle=config.min_triangulation_angle_deg,
        ignore_two_view_tracks=num_images > 2,  # two images have no others
        complete_max_reproj_error=config.max_reprojection_error_px,
        merge_max_reproj_error=config.max_reprojection_error_px,
        random_seed=config.seed,
    )
    return options


def limit_models(options: Any, config: ScratchConfig) -> None:
    """Set the bounds of focal lengths and model sizes of an incremental mapper from scratch."""
    never = 2**31 - 1  # Ceres sums in another order with several threads: no two runs are equal
    _set(
        options,
        min_model_size=config.min_model_images,
        ba_min_num_residuals_for_cpu_multi_threading=never,
    )
    for part in (options, options.mapper, options.triangulation):
        _set(
            part,
            min_focal_length_ratio=config.min_focal_ratio,
            max_focal_length_ratio=config.max_focal_ratio,
        )


def global_options(config: MappingConfig, scratch: ScratchConfig) -> Any:
    """pycolmap's ``GlobalPipelineOptions``."""
    options = load_pycolmap().GlobalPipelineOptions()
    # Ceres sums in another order with several threads: no two runs would be equal
    _set(options, num_threads=1, random_seed=config.seed, min_model_size=scratch.min_model_images)
    _set(options.mapper, num_threads=1, random_seed=config.seed)
    _set(options.mapper.bundle_adjustment.ceres.solver_options, num_threads=1)
    _set(options.mapper.rotation_averaging, random_seed=config.seed)
    _set(options.mapper.global_positioning, random_seed=config.seed, use_gpu=False)
    if hasattr(options.mapper.global_positioning, "solver_options"):
        _set(options.mapper.global_positioning.solver_options, num_threads=1)
    _set(options.mapper.retriangulation, random_seed=config.seed)
    _set(options.mapper.bundle_adjustment.ceres, use_gpu=False)
    return options


def _set(options: Any, **values: Any) -> None:
    """Set those options that this version of pycolmap has."""
    for name, value in values.items():
        if hasattr(options, name):
            setattr(options, name, value)
