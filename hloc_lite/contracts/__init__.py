"""Checks that a model keeps the contract of its role; what check_estimator is to scikit-learn.

A package that adds a model calls them in its own tests:

    def test_my_extractor():
        check_extractor(MyExtractor("mine", FeaturesConfig(), Runtime(WeightsStore())))

The first broken rule raises ``ContractError`` with what was expected, what came, and what to do.
Inputs are made with NumPy unless they are given.
"""

from hloc_lite.contracts.descriptors import check_descriptor as check_descriptor
from hloc_lite.contracts.extractors import check_extractor as check_extractor
from hloc_lite.contracts.matchers import check_matcher as check_matcher
from hloc_lite.contracts.pair_matchers import check_pair_matcher as check_pair_matcher
