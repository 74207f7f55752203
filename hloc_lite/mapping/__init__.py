"""Photos -> map: pairs, verification, reconstruction, and the Map and its life."""
