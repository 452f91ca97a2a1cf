"""Brands that no detector was trained on: a handful of boxed crops is enough to look for them."""
