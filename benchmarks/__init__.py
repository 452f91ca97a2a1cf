"""Measurements of the platform and of real data; those of models alone are `python -m ml bench`."""
