"""Retrieval scores once more: plain loops in float64, written from the papers' definitions."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def clean_ranking(ranking: Sequence[str], ignored: Collection[str]) -> list[str]:
    """The ranking without ignored images and without repetitions."""
    kept: list[str] = []
    for name in ranking:
        if name in ignored or name in kept:
            continue
        kept.append(name)
    return kept


def trapezoid_area(ranking: Sequence[str], positives: Collection[str]) -> float:
    """Area under precision over recall: each step of recall times the mean precision there."""
    area, old_recall, old_precision, right = 0.0, 0.0, 1.0, 0
    for number in range(1, len(ranking) + 1):
        if ranking[number - 1] in positives:
            right += 1
        recall, precision = right / len(positives), right / number
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def truncated_average_precision(
    ranking: Sequence[str], positives: Collection[str], count: int
) -> float:
    total = 0.0
    for number in range(1, min(count, len(ranking)) + 1):
        if ranking[number - 1] in positives:
            total += len([name for name in ranking[:number] if name in positives]) / number
    return total / (len(positives) if len(positives) < count else count)


def adaptive_precision(ranking: Sequence[str], positives: Collection[str], count: int) -> float:
    """Precision at k, or at the last right image of the full ranking, if it comes earlier.

    Right images that are not in the ranking are put at its end, behind ``count`` others.
    """
    full = [*ranking, *["wrong"] * count]
    full += [name for name in positives if name not in ranking]
    last = max(position for position, name in enumerate(full, start=1) if name in positives)
    cut = min(last, count)
    return len([name for name in full[:cut] if name in positives]) / cut


def has_right_one(ranking: Sequence[str], positives: Collection[str], count: int) -> float:
    return 1.0 if any(name in positives for name in ranking[:count]) else 0.0


def global_average_precision(
    predictions: Sequence[tuple[str, str, float]], landmarks: dict[str, Collection[str]]
) -> float:
    """GAP of predictions (image, landmark, score), which have different scores."""
    total = 0.0
    for image, landmark, score in predictions:
        if landmark not in landmarks[image]:
            continue
        above = [each for each in predictions if each[2] >= score]
        right = [each for each in above if each[1] in landmarks[each[0]]]
        total += len(right) / len(above)
    return total / len([shown for shown in landmarks.values() if shown])
