"""Names and file layouts of other localization packages, over this package's own code."""
