class UpError(Exception):
    """The platform cannot be started as asked: one line for the person who asked (exit 2)."""
