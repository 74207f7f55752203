"""Networks whose feature maps are pooled: one file each."""
