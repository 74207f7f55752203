"""Evidence about matches: semantics, depth, and how they become one weight."""
