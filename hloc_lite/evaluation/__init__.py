"""Errors, recalls, reports, plots."""
