"""Poolings: one file each, from the feature map of a photo to one vector."""
