"""Image -> global descriptor; index of the map images."""
