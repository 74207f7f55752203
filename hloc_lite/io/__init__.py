"""The program's own borders: images, stores, atomic files, locks, results, weights, pycolmap."""
