"""Diffusion of similarities on the graph of mutual neighbours (Iscen et al., CVPR 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.retrieval.query_expansion import nearest_neighbours
from hloc_lite.types import Float32

DAMPING = 0.99
"""Share of a score that is passed on to neighbours at each step, as in the paper."""
POWER = 3
"""Power of the similarities, as in the paper."""
MAX_ITERATIONS = 20
TOLERANCE = 1e-6
"""Relative residual at which conjugate gradients stop; the ranking has settled long before."""


@dataclass(frozen=True, eq=False)
class DiffusionGraph:
    """The (M, D) database, and its normalized graph of mutual neighbours (M, M), sparse."""

    database: Float32
    transitions: Any
    """SciPy matrix D^-1/2 A D^-1/2, A_ij = similarity^3 of mutual neighbours."""


def make_graph(database: Float32, num_neighbours: int = 50) -> DiffusionGraph:
    """Graph of a database: an edge where each of two images is among the nearest of the other.

    Args:
        database: (M, D) unit rows.
        num_neighbours: neighbours of an image; 50 for global descriptors, as in the paper.
    """
    from scipy.sparse import csr_array, diags_array

    count = len(database)
    rows, similarities = nearest_neighbours(database, database, num_neighbours + 1)
    sources = np.repeat(np.arange(count), rows.shape[1])
    weights = np.maximum(similarities.ravel().astype(np.float64), 0) ** POWER
    keep = sources != rows.ravel()
    one_way = csr_array((weights[keep], (sources[keep], rows.ravel()[keep])), shape=(count, count))
    mutual = one_way.minimum(one_way.T)
    degrees = np.asarray(mutual.sum(axis=1)).ravel()
    scale = np.divide(1, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0)
    scaling = diags_array(scale)
    return DiffusionGraph(database, (scaling @ mutual @ scaling).tocsr())


def diffuse(graph: DiffusionGraph, queries: Float32, num_seeds: int = 10) -> Float32:
    """(Q, M) scores f of the images for each query: (I - 0.99 S) f = y by conjugate gradients.

    Args:
        queries: (Q, D) unit rows.
        num_seeds: images at which a query enters the graph, y = similarity^3; others have y = 0.
    """
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import cg

    count = len(graph.database)
    system = (eye_array(count) - DAMPING * graph.transitions).tocsr()
    rows, similarities = nearest_neighbours(queries, graph.database, num_seeds)
    scores = np.zeros((len(queries), count), np.float32)
    for query, (seeds, values) in enumerate(zip(rows, similarities, strict=True)):
        entry = np.zeros(count)
        entry[seeds] = np.maximum(values.astype(np.float64), 0) ** POWER
        scores[query] = cg(system, entry, rtol=TOLERANCE, maxiter=MAX_ITERATIONS)[0]
    return scores
