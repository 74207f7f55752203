"""Consistency of matches with semantic labels and depths; cues and the weights made of them."""
