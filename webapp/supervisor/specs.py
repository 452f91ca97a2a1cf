"""Every process of the platform: how it starts, what it needs, when it is well, how it stops."""

import hashlib
import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx

from webapp.supervisor import label_studio, postgres, redis_server
from webapp.supervisor.plan import Plan, environment_for_children


def _at_once() -> bool:
    return True


@dataclass(frozen=True)
class Spec:
    """One process. `stop_rank`: lower ranks stop first, equal ones together."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    needs: tuple[str, ...] = ()
    once: bool = False  # a step that ends, not a service
    inherits_environment: bool = True
    is_healthy: Callable[[], bool] = _at_once
    before: Callable[[], object] = field(default=_at_once)  # run each time just before the start
    start_seconds: float = 120
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 5
    stop_rank: int = 0

    @property
    def fingerprint(self) -> str:
        """Equal for two starts that would run the same program with the same settings."""
        content = json.dumps([self.argv, sorted(self.environment.items())])
        return hashlib.sha256(content.encode()).hexdigest()


def specs_of(plan: Plan) -> tuple[Spec, ...]:
    """All processes of this installation; external services have none."""
    specs: list[Spec] = []
    if "DATABASE_URL" not in plan.external:
        specs.append(_postgres(plan))
    if "REDIS_URL" not in plan.external:
        specs.append(_redis(plan))
    if "LABEL_STUDIO_URL" not in plan.external:
        specs += _label_studio(plan)
    specs += [*_steps(plan), _web(plan), _gateway(plan), *_workers(plan), _beat(plan)]
    specs.append(_label_studio_setup(plan))
    present = {spec.name for spec in specs}
    return tuple(_without_absent_needs(spec, present) for spec in specs)


def _without_absent_needs(spec: Spec, present: set[str]) -> Spec:
    return replace(spec, needs=tuple(need for need in spec.needs if need in present))


def _postgres(plan: Plan) -> Spec:
    return Spec(
        name="postgres",
        argv=(sys.executable, "-m", "webapp.supervisor.postgres", str(plan.home / "pg")),
        environment=environment_for_children(plan),
        is_healthy=partial(postgres.answers, plan.services["DATABASE_URL"]),
        start_seconds=300,  # recovery after a crash may replay a long log
        stop_signal=signal.SIGINT,  # "fast": ends sessions, then shuts down cleanly
        stop_rank=3,
    )


def _redis(plan: Plan) -> Spec:
    folder = plan.home / "redis"
    return Spec(
        name="redis",
        argv=(redis_server.program(), str(folder / "redis.conf")),
        environment=environment_for_children(plan),
        before=partial(
            redis_server.write_configuration,
            folder,
            port=plan.redis_port,
            password=plan.secrets["REDIS_PASSWORD"],
        ),
        is_healthy=partial(redis_server.answers, plan.services["REDIS_URL"]),
        stop_rank=2,
    )


def _label_studio(plan: Plan) -> list[Spec]:
    venv = plan.label_studio_venv
    data = plan.home / "label-studio"
    lock_file = plan.base_dir / "requirements-label-studio.lock"
    return [
        Spec(
            name="label-studio-environment",
            argv=(
                sys.executable,
                "-m",
                "webapp.supervisor.label_studio",
                str(venv),
                str(lock_file),
            ),
            environment=environment_for_children(plan),
            once=True,
            start_seconds=1800,  # a gigabyte of packages, on a slow line
        ),
        Spec(
            name="label-studio",
            argv=(
                str(venv / "bin" / "python"),
                "-m",
                "label_studio.server",
                "start",
                "--no-browser",
                "--internal-host=127.0.0.1",
                f"--port={plan.label_studio_port}",
            ),
            environment=label_studio.environment(
                data=data,
                email=plan.secrets["LABEL_STUDIO_EMAIL"],
                password=plan.secrets["LABEL_STUDIO_PASSWORD"],
            ),
            inherits_environment=False,
            needs=("label-studio-environment",),
            before=partial(label_studio.prepare_data, data, venv=venv),
            is_healthy=partial(_http_answers, f"{plan.services['LABEL_STUDIO_URL']}/health"),
            start_seconds=300,
            stop_rank=1,
        ),
    ]


def _steps(plan: Plan) -> list[Spec]:
    return [
        _manage(plan, "static-files", "collectstatic", "--noinput", "--verbosity=0"),
        _manage(plan, "database", "prepare_database", needs=("postgres",)),
    ]


def _label_studio_setup(plan: Plan) -> Spec:
    needs = ("label-studio", "database", "redis")
    return _manage(plan, "label-studio-setup", "label_studio_setup", needs=needs)


def _manage(plan: Plan, name: str, *arguments: str, needs: tuple[str, ...] = ()) -> Spec:
    return Spec(
        name=name,
        argv=(sys.executable, str(plan.base_dir / "manage.py"), *arguments),
        environment=environment_for_children(plan),
        needs=needs,
        once=True,
        start_seconds=600,
    )


def _web(plan: Plan) -> Spec:
    needs = ("database", "static-files", "redis")
    return _server(plan, "web", "webapp.wsgi", plan.web_port, threads=4, needs=needs)


def _gateway(plan: Plan) -> Spec:
    """Without Label Studio it starts too, and says that it is away."""
    module, port = "webapp.gateway_wsgi", plan.gateway_port
    # A page asks for a dozen things at once, and most of the time a thread waits for Label Studio.
    return _server(plan, "gateway", module, port, threads=8, needs=("database", "redis"))


def _server(
    plan: Plan, name: str, module: str, port: int, *, threads: int, needs: tuple[str, ...]
) -> Spec:
    address = f"127.0.0.1:{port}"
    return Spec(
        name=name,
        argv=(
            *(sys.executable, "-m", "gunicorn", module, f"--bind={address}"),
            *("--worker-class=gthread", "--workers=2", f"--threads={threads}", "--timeout=60"),
            *("--graceful-timeout=4", "--no-control-socket", "--access-logfile=-"),
        ),
        environment=environment_for_children(plan),
        needs=needs,
        is_healthy=partial(_http_answers, f"http://{address}/"),
        stop_seconds=6,
        stop_rank=1,
    )


def _workers(plan: Plan) -> list[Spec]:
    return [
        _worker(plan, "worker", queues="default,sync", processes=2),
        _worker(plan, "worker-scan", queues="scan", processes=1),
        _worker(plan, "worker-background", queues="background", processes=1),
        _worker(plan, "worker-train", queues="train", processes=plan.train_processes),
    ]


def _worker(plan: Plan, name: str, *, queues: str, processes: int) -> Spec:
    node = f"{name}-{installation_id(plan.home)}@localhost"
    return Spec(
        name=name,
        argv=(
            *(sys.executable, "-m", "celery", "-A", "webapp", "worker", "-n", node, "-Q", queues),
            *("-c", str(processes), "--loglevel=INFO"),
            # Chatter between workers, which nothing here listens to, costs a second at the start.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        environment=environment_for_children(plan),
        needs=("database", "redis"),
        is_healthy=partial(_worker_answers, plan.services["REDIS_URL"], node),
        stop_seconds=8,
    )


def _beat(plan: Plan) -> Spec:
    return Spec(
        name="beat",
        # An empty pid file name: the default one outlives a kill and then forbids the start.
        argv=(sys.executable, "-m", "celery", "-A", "webapp", "beat", "--pidfile="),
        environment=environment_for_children(plan),
        needs=("database", "redis"),
    )


def installation_id(home: Path) -> str:
    """Short and stable: tells this home's workers from those of another on the same broker."""
    return hashlib.sha256(str(home).encode()).hexdigest()[:8]


def _http_answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def _worker_answers(broker: str, node: str) -> bool:
    from celery import Celery
    from kombu.exceptions import OperationalError
    from redis import RedisError

    app = Celery(broker=broker, set_as_current=False)
    try:
        return bool(app.control.ping(destination=[node], timeout=0.5, limit=1))
    except (OperationalError, RedisError):  # the transport lets some of the latter through
        return False
    finally:
        app.close()
