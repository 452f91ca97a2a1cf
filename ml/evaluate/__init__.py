"""Measures of models on the closed, open and business sets."""
