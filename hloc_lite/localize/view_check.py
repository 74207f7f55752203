"""Looks at the top hypotheses of a query: renders the map's surface there, compares, re-ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import cv2
import numpy as np

from hloc_lite.config import Config, RenderingConfig
from hloc_lite.geometry.surface_rendering import (
    ViewableSurface,
    render_surface,
    scaled_camera,
)
from hloc_lite.localize.dense_features import (
    dense_root_sift,
    make_grid,
    normalized_grey,
    to_grey,
    view_scale,
)
from hloc_lite.localize.estimation import (
    PoseHypothesis,
    PoseSolver,
    SelectedHypothesis,
    join_hypotheses,
    total_score,
)
from hloc_lite.localize.query import Query
from hloc_lite.localize.view_cues import (
    LabelledPoints,
    label_consistency,
    normal_weights,
    normals_of_depth,
    static_weights,
)
from hloc_lite.localize.view_synthesis import (
    agreement_factor,
    inverse_median_distance,
    view_agreement,
)
from hloc_lite.types import Float32, Float64, PoseEstimate, RenderedView, Surface, ViewComparison


class ViewCheck:
    """Compares photos with views of the surface of a map.

    Args:
        surface: surface of the map.
        config: config of the queries.
        labelled: points of the map with lasting labels; None if labels are not in use.
    """

    def __init__(
        self,
        surface: Surface | ViewableSurface,
        config: Config,
        labelled: LabelledPoints | None = None,
    ) -> None:
        self.surface, self.config, self.labelled = surface, config, labelled

    def of(self, query: Query) -> QueryViews | None:
        """Views to compare with one photo; None where only its features are known."""
        photo, camera = query.photo, query.camera
        if (photo.width, photo.height) != (camera.width, camera.height):
            return None
        return QueryViews(self, query)


class QueryViews:
    """Views of a surface that are compared with one photo; the photo is described once."""

    def __init__(self, check: ViewCheck, query: Query) -> None:
        self._check, self._query = check, query
        settings = check.config.view_synthesis
        self._settings = settings
        self._scale = view_scale(query.camera.width, query.camera.height, settings)
        self._camera = scaled_camera(query.camera, self._scale)
        self._grid = make_grid(self._camera.width, self._camera.height, settings)

    def check(self, selected: SelectedHypothesis, solver: PoseSolver) -> SelectedHypothesis:
        """Compare the top locations with the photo, and select the one that fits best.

        The score of a location is multiplied by the agreement of its view. Locations whose view
        is unknown keep theirs, and so do all where that of the best one by geometry is unknown.
        """
        if selected.hypothesis.pose is None:
            return selected
        least = self._settings.min_score_share * selected.score
        others = [each for each in selected.alternatives if total_score(each) >= least]
        others = others[: self._settings.num_hypotheses - 1]
        tried = [selected.hypothesis, *(group[0] for group in others)]
        views = [self.compare(_pose(each)) for each in tried]
        scores = [selected.score, *map(total_score, others)]
        views = [replace(view, score=score) for view, score in zip(views, scores, strict=True)]
        rest = [total_score(each) for each in selected.alternatives if each not in others]
        return self._reselect(selected, others, views, max(rest, default=0.0), solver)

    def compare(self, pose: PoseEstimate) -> ViewComparison:
        """Render the surface at a pose and compare it with the photo."""
        rendering = RenderingConfig(max_splat_px=self._settings.max_splat_px)
        view = render_surface(
            self._check.surface, pose.camera, pose.cam_from_world, scale=self._scale,
            config=rendering,
        )  # fmt: skip
        found = partial(ViewComparison, pose.cam_from_world, valid_share=view.coverage)
        if view.coverage < self._settings.min_valid_share:
            return found(math.nan, math.nan)
        grey = normalized_grey(to_grey(view.rgb), view.mask)
        theirs = dense_root_sift(grey, self._grid, self._settings)
        # an even area, such as points without colours, looks like no place
        seen = self._grid.at(view.mask) & theirs.any(axis=1)
        weights, consistent = self._weights(view, pose)
        own, theirs = self._descriptors[seen], theirs[seen]
        agreement = view_agreement(own, theirs, weights[seen], consistent[seen], self._settings)
        if math.isnan(agreement):
            return found(math.nan, math.nan)
        return found(agreement, inverse_median_distance(own, theirs))

    @cached_property
    def _descriptors(self) -> Float32:
        """(C, 128) dense descriptors of the photo."""
        size = (self._camera.width, self._camera.height)
        grey = to_grey(self._query.photo.pixels)
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        small = normalized_grey(small, np.ones(small.shape, bool))
        return dense_root_sift(small, self._grid, self._settings)

    @cached_property
    def _lasting(self) -> Float64:
        """(C,) 0 where the photo shows people and the like, else 1."""
        windows = self._query.predictions.windows
        if windows is None:
            return np.ones(len(self._grid))
        semantics = self._check.config.semantics
        return static_weights(windows, self._grid, self._scale, semantics)

    @cached_property
    def _normals(self) -> Float32 | None:
        """(C, 3) normals of the photo's predicted depth; None without depth up to scale."""
        depth = self._query.predictions.depth_map
        if depth is None or not depth.is_metric:
            return None
        return self._grid.at(normals_of_depth(depth, self._camera, self._check.config.depth))

    def _weights(self, view: RenderedView, pose: PoseEstimate) -> tuple[Float64, Float64]:
        """(C,) weights of the places, and 0 where labels contradict the photo's."""
        weights, consistent = self._lasting, np.ones(len(self._grid))
        if self._normals is not None and view.normals is not None:
            weights = weights * normal_weights(self._normals, self._grid.at(view.normals))
        windows, labelled = self._query.predictions.windows, self._check.labelled
        if windows is not None and labelled is not None:
            consistent = label_consistency(
                labelled, windows, view, scaled_camera(pose.camera, self._scale),
                pose.cam_from_world, self._grid, self._scale, self._settings.depth_ratio,
                self._check.config.semantics,
            )  # fmt: skip
        return weights, consistent

    def _reselect(
        self,
        selected: SelectedHypothesis,
        others: Sequence[tuple[PoseHypothesis, ...]],
        views: Sequence[ViewComparison],
        rest: float,
        solver: PoseSolver,
    ) -> SelectedHypothesis:
        """Select the location with the best score times agreement.

        Args:
            views: of the selected location, then of the others.
            rest: best score of a location that was not rendered.
        """
        unknown = views[0].agreement
        if math.isnan(unknown):
            return replace(selected, views=tuple(views))
        known = [unknown if math.isnan(each.agreement) else each.agreement for each in views]
        factors = [agreement_factor(each, self._settings.exponent) for each in known]
        rated = [each.score * factor for each, factor in zip(views, factors, strict=True)]
        best = int(np.argmax(rated))
        order = [best, *(row for row in range(len(views)) if row != best)]
        runner_up = max([rest * factors[0], *(rated[row] for row in order[1:])])
        ambiguity = min(runner_up / rated[best], 1.0) if rated[best] > 0 else 1.0
        found = replace(selected, ambiguity=ambiguity, views=tuple(views[row] for row in order))
        if best == 0:
            return found
        group = others[best - 1]
        joined = join_hypotheses(group, solver)
        return replace(
            found, hypothesis=joined, num_agreeing=len(group), score=views[best].score,
            alternatives=(),
        )  # fmt: skip


def _pose(hypothesis: PoseHypothesis) -> PoseEstimate:
    assert hypothesis.pose is not None
    return hypothesis.pose
