"""Old place of ``hloc_lite.formats.hloc_lists``; removed in version 0.4."""

from hloc_lite.deprecation import deprecated_names

_NAMES = (
    "parse_camera",
    "read_image_list",
    "read_pairs",
    "read_poses",
    "read_queries",
    "write_poses",
    "write_queries",
)
__getattr__ = deprecated_names(
    __name__, {name: f"hloc_lite.formats.hloc_lists:{name}" for name in _NAMES}
)
