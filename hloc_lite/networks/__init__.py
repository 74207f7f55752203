"""Networks that several stages use: backbones of global descriptors and of dense matchers."""
