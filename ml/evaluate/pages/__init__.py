"""Reports and comparisons as one page each: a file by itself, without scripts or addresses."""
