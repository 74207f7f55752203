"""Rendered scenes with exact pose, depth and labels."""
