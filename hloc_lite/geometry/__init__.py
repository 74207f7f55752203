"""Rigid transforms, cameras and alignment: NumPy float64, no files."""
