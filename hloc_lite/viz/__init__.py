"""The interactive 3D page of a map, its queries and their truth; needs the extra ``viz``.

What is shown is a frozen ``Scene`` of arrays, made without viser; the rest draws it.

scene.py       everything that the page shows, in coordinates of the viewer
frame.py       these coordinates: centred and scaled
points.py      points of the surface, or landmarks
frusta.py      cameras as pyramids and lines
ellipsoids.py  uncertainty of camera centres
queries.py     results joined with their truth, and checked against the map
colors.py      colours by status and confidence, and their legend
config.py      address, limits, numbers of points
drawing.py     scene -> nodes of viser
panel.py       controls and texts beside the scene
picture_panel.py  pictures of the selected query in it
text.py        numbers and reasons of a query as HTML
inspection.py  single queries localized again, with pictures of matches and views
page.py        what happens when something is clicked or sent in
server.py      starts and stops viser
guard.py       refuses other web sites and floods
export.py      the scene as one HTML file
"""
