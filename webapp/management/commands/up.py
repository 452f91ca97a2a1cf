"""`manage.py up`: the whole platform, started and watched."""

import os

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from webapp.supervisor import up
from webapp.supervisor.errors import UpError
from webapp.supervisor.plan import Plan, load_plan
from webapp.supervisor.state import take_lock


class Command(BaseCommand):
    help = "Start PostgreSQL, Redis, Label Studio, web server, gateway and workers, and watch them."
    requires_system_checks: list[str] = []  # `prepare_database` runs them

    def add_arguments(self, parser):
        parser.add_argument("--detach", action="store_true", help="return once all is up")
        parser.add_argument("--web-port", type=int, dest="WEB_PORT")
        parser.add_argument("--gateway-port", type=int, dest="GATEWAY_PORT")
        parser.add_argument("--label-studio-port", type=int, dest="LABEL_STUDIO_PORT")

    def handle(self, *, detach, **options):
        home = settings.HOME
        try:
            home.mkdir(parents=True, exist_ok=True)
            lock = take_lock(home)
            if lock is None:
                self._say_already_up()
                return
            plan = up.prepare(
                home=home, base_dir=settings.BASE_DIR, environment=os.environ, options=options
            )
        except (UpError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        code = self._in_background(plan, lock) if detach else self._here(plan)
        if code:
            raise CommandError(
                f"the platform did not start; logs are in {plan.log_dir}", returncode=code
            )

    def _say_already_up(self) -> None:
        plan = load_plan(home=settings.HOME, base_dir=settings.BASE_DIR, environment=os.environ)
        self.stdout.write(f"already up (home {settings.HOME})")
        if plan.services:
            self.stdout.write(up.addresses(plan))

    def _here(self, plan: Plan) -> int:
        up.log_to_file(plan.home)
        up.log_to(self._say)

        def announce(name: str) -> None:
            if name == "web":
                self._say(f"pages: {plan.services['PUBLIC_URL']}")
            if not name:
                self._say("ready; Ctrl-C stops everything\n" + up.addresses(plan))

        return up.supervise(plan, announce=announce)

    def _in_background(self, plan: Plan, lock: int) -> int:
        path = plan.log_dir / up.LOG
        offset = path.stat().st_size if path.exists() else 0
        supervisor = up.start_in_background(plan, lock=lock)
        os.close(lock)
        code = up.wait_until_ready(plan, supervisor, offset=offset, say=self._say)
        if code == 0:
            self._say("ready; `make down` stops everything\n" + up.addresses(plan))
        return code

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
