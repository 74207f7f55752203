"""Maps: the value that queries are localized in, and the folders that it is stored in.

The value:
map_data.py              ``MapData``: SfM model, features, global descriptors, config
map.py                   ``Map``: the same, with ``open`` and ``save``
track_lifter.py          lifts keypoints of map images to the points of their tracks
noise_axes.py            direction in which landmarks of a map from depth are uncertain
landmark_descriptors.py  one or more descriptors per map point
mean_descriptors.py      computes them from the features of the map images
units.py                 text of lengths: metres where the scale is known
calibration.py           answers of the map about its own photos, and their file
georeference.py          location on Earth: ENU coordinates, GeoPose, and its file
georeference_fit.py      fits it to geodetic positions of map images

Full maps:
storage.py               reads the folder of a map; opens compact ones, too
saving.py                writes the folder of a map
side_maps.py             other models of the same photos, in subfolders
folder.py                names of the files in it; which folders may be written to
config.py                restores the config of a map, for queries
outside_names.py         its names of models, files and folders outside hloc_lite
recorded_photos.py       photos that it was made of, from the folder that it names
local_paths.py           paths of this machine in it, which tell no more than they have to
verify.py                compares every file of it with its digest
limited_reading.py       reads a map in a child process with limits first, for the service
stored_descriptors.py    landmark descriptors in the folder, read when first indexed

Surface of a map:
surface.py               ``StoredSurface``: tiles on disk, loaded when in view
surface_tiles.py         stored form of a part of a surface
surface_depth.py         depth of map images, rendered from it; whether it fits the poses
surface_saving.py        writes them; a surface is made in the room ``mapping``

Compact maps (landmarks only):
compress.py              makes one from a full map, within a byte budget
landmark_selection.py    chooses the landmarks to keep
compact_arrays.py        arrays and header that are written
quantization.py          descriptors as float16, int8, product codes or signs
compact.py               opens one; arrays stay memory-mapped

summary.py               counts and bytes of either kind
hloc_export.py           a map as the files of an hloc run
retrieval_state.py       what a global descriptor learned, in a file beside these
"""
