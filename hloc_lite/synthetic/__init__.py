"""Synthetic scenes with exact ground truth: a rendered town, textured planes, correspondences."""
