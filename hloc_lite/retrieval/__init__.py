"""Global descriptors of images, and the search index of map images."""
