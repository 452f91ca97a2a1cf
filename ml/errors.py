"""Errors a person can act on."""


class InputError(Exception):
    """Bad input: shown as one line, exit code 2, nothing half-written."""


class Cancelled(Exception):
    """The work was asked to stop (SIGTERM) and did, leaving a checkpoint behind."""
