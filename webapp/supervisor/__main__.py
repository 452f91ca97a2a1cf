"""The supervisor in the background, started by `manage.py up --detach`, which has made the plan and
hands over the installation's lock: the number of an inherited descriptor."""

import logging
import os
import sys
from pathlib import Path

from webapp.supervisor.plan import load_plan
from webapp.supervisor.state import holds_lock
from webapp.supervisor.up import log_to_file, supervise


def main() -> int:
    home = Path(os.environ["TOUCHSTONE_HOME"])
    if len(sys.argv) != 2 or not holds_lock(home, int(sys.argv[1])):
        print("start it with `manage.py up --detach`", file=sys.stderr)
        return 2
    log_to_file(home)
    plan = load_plan(home=home, base_dir=Path.cwd(), environment=os.environ)
    try:
        return supervise(plan, announce=lambda name: None)
    except Exception:
        logging.getLogger("up").exception("the supervisor itself failed")
        return 1


if __name__ == "__main__":
    sys.exit(main())
