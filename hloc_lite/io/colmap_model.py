"""Old place of ``hloc_lite.formats.colmap``; removed in version 0.4."""

from hloc_lite.deprecation import deprecated_names

__getattr__ = deprecated_names(
    __name__,
    {name: f"hloc_lite.formats.colmap:{name}" for name in ("read_model", "write_model")},
)
