"""COLMAP: sparse models (.bin and .txt), and its mappers, which work on its files."""

from __future__ import annotations

from hloc_lite.formats.colmap.binary import MODEL_IDS
from hloc_lite.formats.colmap.model import read_files, read_model, write_model

__all__ = ["MODEL_IDS", "read_files", "read_model", "write_model"]
