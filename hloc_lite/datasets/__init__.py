"""Data sets: readers of their folders, and cards with source, licence and thresholds."""
