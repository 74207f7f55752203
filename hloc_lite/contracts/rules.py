"""Rules that the contracts of all roles share, and the error that a broken one raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np

from hloc_lite.errors import ContractError
from hloc_lite.types import Int32, Photo

Item = TypeVar("Item")
Model = TypeVar("Model")
T = TypeVar("T")
UNIT_TOLERANCE = 1e-5
"""Rounding of float32 norms."""


class Rules(Generic[Model]):
    """The rules, applied to one model that the messages name."""

    def __init__(self, model: Model) -> None:
        self._model, self._name = model, type(model).__name__

    def require(self, holds: object, expected: str, got: object, remedy: str) -> None:
        """Raise ``ContractError`` unless a rule holds."""
        if not holds:
            raise ContractError(f"{self._name}: expected {expected}, got {got}. {remedy}.")

    def call(self, method: Callable[..., T], what: str, *arguments: object) -> T:
        """The result of a method that must not raise on ``what``."""
        try:
            return method(*arguments)
        except Exception as error:
            raise ContractError(
                f"{self._name}: expected a result for {what}, got {type(error).__name__}: {error}. "
                f"{getattr(method, '__name__', 'The method')} must not raise on such input."
            ) from error

    def call_batch(
        self,
        method: Callable[[Sequence[Item]], list[T]],
        what: str,
        items: Sequence[Item],
        kind: type[T],
    ) -> list[T]:
        """The results of a method that returns one ``kind`` for each item."""
        results = self.call(method, what, items)
        kinds = [type(each).__name__ for each in results] if isinstance(results, list) else None
        self.require(
            kinds == [kind.__name__] * len(items),
            f"a list of {len(items)} {kind.__name__} for {what}",
            type(results).__name__ if kinds is None else kinds,
            "Return one for each item, in order",
        )
        return results

    def finite(self, array: np.ndarray, name: str) -> None:
        """Refuse NaN and infinity."""
        count = int((~np.isfinite(array)).sum())
        self.require(count == 0, f"finite {name}", f"{count} others", "Drop or replace them")

    def unit_rows(self, rows: np.ndarray, name: str) -> None:
        """Refuse rows of another length than 1."""
        self.finite(rows, name)
        norms = np.linalg.norm(rows, axis=1)
        wrong = norms[np.abs(norms - 1) > UNIT_TOLERANCE]
        self.require(
            len(wrong) == 0, f"{name} of length 1", f"lengths {wrong}", "Divide each by its norm"
        )

    def keypoints(self, keypoints: np.ndarray, image_size: object, photo: Photo) -> None:
        """Refuse keypoints outside their photo, and another size than the photo's."""
        size = photo.width, photo.height
        remedy = "Scale keypoints to pixels of the original photo, and give its size"
        self.require(image_size == size, f"image size {size}", image_size, remedy)
        self.finite(keypoints, "keypoints")
        outside = int(((keypoints < 0) | (keypoints > size)).any(axis=1).sum())
        self.require(
            outside == 0, f"keypoints inside a photo of {size}", f"{outside} outside", remedy
        )

    def probabilities(self, scores: np.ndarray) -> None:
        """Refuse scores outside [0, 1]."""
        wrong = scores[~((scores >= 0) & (scores <= 1))]
        self.require(len(wrong) == 0, "scores in [0, 1]", wrong, "Give probabilities")

    def same(self, first: Sequence[np.ndarray], second: Sequence[np.ndarray], what: str) -> None:
        """Refuse results of two equal calls that differ in any bit."""
        is_same = all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        self.require(is_same, f"equal results for {what}", "different ones", "Fix its random seed")

    def common(self, first: Int32, second: Int32, least: float, what: str) -> None:
        """Refuse two sets of (K, 2) indices that share less than ``least`` of their rows."""
        a, b = (set(map(tuple, indices.tolist())) for indices in (first, second))
        shared, most = len(a & b), max(len(a), len(b))
        self.require(
            shared >= least * most,
            f"{least:.0%} of the matches unchanged when {what}",
            f"{shared} of {most}",
            "Treat both images alike, and each pair by itself",
        )

    @contextmanager
    def inputs_unchanged(self, arrays: Sequence[np.ndarray]) -> Iterator[None]:
        """Refuse models that write into what they are given."""
        before = [array.copy() for array in arrays]
        try:
            yield
        finally:  # it explains other broken rules
            is_same = all(np.array_equal(a, b) for a, b in zip(before, arrays, strict=True))
            self.require(is_same, "inputs left as they are", "changed arrays", "Work on a copy")
