"""The borders of the program: images, COLMAP, stores, text formats, weights."""
