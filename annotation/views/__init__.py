"""Pages, one module a capability."""
