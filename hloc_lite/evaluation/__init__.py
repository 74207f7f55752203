"""Pose errors, recalls with confidence intervals, plots and HTML reports."""
