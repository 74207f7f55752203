"""Table of the protocols: the truth, the scores and the rule of each data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from hloc_lite.errors import UnknownNameError
from hloc_lite.evaluation.retrieval import truth_files as truths
from hloc_lite.evaluation.retrieval.average_precision import (
    Metric,
    adaptive_precision_at,
    average_precision_at,
    num_right_at,
    precision_at,
    recall_at,
    trapezoidal_ap,
)
from hloc_lite.evaluation.retrieval.truth_files import TruthFiles, Truths
from hloc_lite.formats.ukbench import GROUP_SIZE

RECALL_COUNTS = (1, 5, 10, 20)
"""Numbers N of recall@N in papers of place recognition since NetVLAD."""
REVISITED_COUNTS = (1, 5, 10)
"""Numbers of mP@k in the paper of the revisited benchmarks."""
COREL_COUNT = 20
"""Usual number for Corel; no text of a protocol was found."""


@dataclass(frozen=True)
class Protocol:
    """How the rankings of one data set are scored."""

    name: str
    truth: str
    """Files that ``--truth`` names, for people."""
    rule: str
    """Score and its exceptions, for people."""
    source: str
    """Where the rule was read."""
    read: Callable[[TruthFiles], Truths]
    metrics: tuple[Metric, ...]
    count_empty: bool = False
    """True if queries without any right image score 0; False if they are left out of the mean."""
    takes_names: bool = False
    """True if lists of the names of queries or map images may be given."""


AP = Metric("mAP", trapezoidal_ap)
RECALLS = tuple(Metric(f"R@{count}", partial(recall_at, count=count)) for count in RECALL_COUNTS)
_REVISITED = (
    AP,
    *(Metric(f"mP@{n}", partial(adaptive_precision_at, count=n)) for n in REVISITED_COUNTS),
)
_MSLS = tuple(
    Metric(f"mAP@{count}", partial(average_precision_at, count=count)) for count in RECALL_COUNTS
)
_POSITIONS = ".mat (dbStruct), .npz with lists of names, or a folder of @UTM@ names"
_CLASSES = "folders of classes, or a list of names: no public truth was found"
_WITHIN_25 = "a map image within 25 m; queries without one count as wrong"


def _landmarks(name: str) -> Protocol:
    return Protocol(
        name,
        "folder of LANDMARK_N_{query,good,ok,junk}.txt, or gnd_*.pkl of cirtorch",
        "mean of trapezoidal AP; good and ok are right, junk is ignored",
        "Philbin et al., CVPR 2007 and 2008",
        truths.oxford_truths,
        (AP,),
    )


def _revisited(name: str) -> Protocol:
    return Protocol(
        name,
        f"gnd_{name}.pkl",
        "mean of trapezoidal AP and mP@k; junk and the labels of other setups are ignored",
        "Radenovic et al., CVPR 2018; filipradenovic/revisitop",
        truths.revisited_truths,
        _REVISITED,
    )


def _positions(name: str, rule: str, source: str) -> Protocol:
    return Protocol(
        name, _POSITIONS, rule, source, truths.position_truths, RECALLS, True, True
    )  # fmt: skip


def _classes(name: str, rule: str, *metrics: Metric) -> Protocol:
    return Protocol(name, _CLASSES, rule, "no public text found", truths.class_truths, metrics)


PROTOCOLS: Mapping[str, Protocol] = {
    each.name: each
    for each in (
        _landmarks("oxford5k"),
        _landmarks("paris6k"),
        _revisited("roxford5k"),
        _revisited("rparis6k"),
        Protocol(
            "holidays", "folder of images, or a list of names",
            "mean of trapezoidal AP; the query itself is ignored",
            "Jegou et al., ECCV 2008; Relja/netvlad", truths.holidays_truths, (AP,),
        ),
        Protocol(
            "ukbench", "folder of images, or a list of names",
            "N-S, the mean number of right images among the first four, the query with them",
            "Nister and Stewenius, CVPR 2006", truths.ukbench_truths,
            (Metric("N-S", partial(num_right_at, count=GROUP_SIZE), GROUP_SIZE),),
        ),
        _classes("instre", "mean of trapezoidal AP; nothing but the query is ignored", AP),
        _classes(
            "corel", f"precision of the first {COREL_COUNT}; the query itself is ignored",
            Metric(f"P@{COREL_COUNT}", partial(precision_at, count=COREL_COUNT)),
        ),
        _classes("smvs", "share of queries whose first image is right", RECALLS[0]),
        _classes("cturin180", "share of queries whose first image is right, and mAP",
                 RECALLS[0], AP),
        _classes("201books", "share of queries whose first image is right, and mAP",
                 RECALLS[0], AP),
        Protocol(
            "gldv2-retrieval", "retrieval_solution_v2.1.csv",
            "mean over all queries of AP@100; ignored queries are left out",
            "Weyand et al., CVPR 2020; tensorflow/models", truths.google_landmarks_truths,
            (Metric("mAP@100", partial(average_precision_at, count=100)),), count_empty=True,
        ),
        Protocol(
            "ilias", "folder with image_ids",
            "mean over the image queries of AP@1000",
            "arXiv 2502.11748; ilias-vrg/ilias", truths.ilias_truths,
            (Metric("mAP@1000", partial(average_precision_at, count=1000)),),
        ),
        Protocol(
            "msls", "folder with train_val: cities cph and sf",
            "an image within 25 m; panoramas, and queries without such an image, are left out",
            "Warburg et al., CVPR 2020; mapillary/mapillary_sls", truths.msls_truths,
            (*RECALLS, *_MSLS),
        ),
        Protocol(
            "tokyo247", f"{_POSITIONS}; --query-names may be the folder of query CSV files",
            f"{_WITHIN_25}; by both rules on cutouts",
            "Torii et al., CVPR 2015; Relja/netvlad", truths.tokyo_truths, RECALLS, True, True,
        ),
        _positions("pitts30k", _WITHIN_25, "Arandjelovic et al., CVPR 2016"),
        _positions("pitts250k", _WITHIN_25, "Arandjelovic et al., CVPR 2016"),
        _positions(
            "nordland", "split of Patch-NetVLAD, summer map and winter queries of 27,592 frames; "
            "within the distance of the file, and queries without a right image count as wrong",
            "Hausler et al., CVPR 2021; QVPR/Patch-NetVLAD",
        ),
        _positions("stlucia", _WITHIN_25, "gmberton/VPR-datasets-downloader"),
        _positions("utm-names", _WITHIN_25, "gmberton/VPR-datasets-downloader"),
        Protocol(
            "covisible", "COLMAP model with the queries in it; --query-names lists them",
            "a map image that shares enough landmarks with the query; queries without one count as "
            "wrong", "own rule", truths.covisible_truths, RECALLS, True, True,
        ),
    )
}  # fmt: skip
"""Name -> protocol of rankings."""
RECOGNITION = "gldv2-recognition"
"""The one protocol that scores predicted landmarks in place of rankings."""


def protocol_names() -> tuple[str, ...]:
    """Names that ``--protocol`` takes, sorted."""
    return tuple(sorted([*PROTOCOLS, RECOGNITION]))


def find_protocol(name: str) -> Protocol:
    """Protocol of rankings.

    Raises:
        UnknownNameError: no such protocol; lists the known ones.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError(
            f"no retrieval protocol is named {name!r}; known are {', '.join(protocol_names())}"
        )
    return PROTOCOLS[name]
