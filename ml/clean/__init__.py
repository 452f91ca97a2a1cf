"""Wrong labels found by models that were not trained on them, and by near-duplicates that were
answered differently."""
