"""Who gives a command on this machine."""

import getpass
import os


def machine_account() -> str:
    """The name of the account, or its number where it has none (as in a container)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
