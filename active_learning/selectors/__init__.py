"""Reads of the loop for pages and API: each a bounded number of queries, whatever the size."""
