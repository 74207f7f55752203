"""2D-3D correspondences -> camera pose."""
