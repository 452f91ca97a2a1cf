"""How far answers can be trusted: pure functions on plain data. No Django in here, so that the
simulation and the platform run the very same code."""
