"""Image -> local features; one adapter per file."""
