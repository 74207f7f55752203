"""Runs public benchmarks: map, localization, evaluation and submission of a data set."""
