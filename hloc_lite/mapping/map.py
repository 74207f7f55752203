"""Former module of ``Map``, now in ``hloc_lite.maps.map``; removed in version 0.4."""

from hloc_lite.deprecation import deprecated_names

__getattr__ = deprecated_names(__name__, {"Map": "hloc_lite.maps.map:Map"})
