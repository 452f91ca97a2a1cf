import json
import socket
import stat

import pytest

from webapp.supervisor import logs
from webapp.supervisor.errors import UpError
from webapp.supervisor.plan import load_plan, make_plan, write_plan
from webapp.supervisor.secrets import take_first_showing
from webapp.supervisor.specs import specs_of


def plan_of(home, environment=None, **options):
    return make_plan(home=home, base_dir=home, environment=environment or {}, options=options)


def test_an_option_beats_the_environment_which_beats_what_was_written(tmp_path):
    assert plan_of(tmp_path).web_port == 8000
    write_plan(plan_of(tmp_path, {"WEB_PORT": "8100"}))
    assert plan_of(tmp_path).web_port == 8100
    assert plan_of(tmp_path, {"WEB_PORT": "8200"}).web_port == 8200
    assert plan_of(tmp_path, {"WEB_PORT": "8200"}, WEB_PORT=8300).web_port == 8300


def test_the_public_address_follows_the_port_unless_it_is_set(tmp_path):
    write_plan(plan_of(tmp_path, WEB_PORT=8100))
    assert plan_of(tmp_path, WEB_PORT=8200).services["PUBLIC_URL"] == "http://127.0.0.1:8200"
    public = {"PUBLIC_URL": "https://touchstone.example"}
    assert plan_of(tmp_path, public).services["PUBLIC_URL"] == "https://touchstone.example"


def test_an_external_service_is_not_started_and_its_address_is_kept(tmp_path):
    url = "postgresql://u:p@db.example/touchstone"
    plan = plan_of(tmp_path, {"DATABASE_URL": url, "REDIS_URL": "redis://redis.example/0"})
    write_plan(plan)
    names = {spec.name for spec in specs_of(plan)}
    assert {"postgres", "redis"}.isdisjoint(names)
    assert {"web", "worker", "label-studio"} <= names
    assert json.loads((tmp_path / "services.json").read_text())["DATABASE_URL"] == url


def test_nothing_waits_for_a_service_that_is_external(tmp_path):
    plan = plan_of(
        tmp_path, {"LABEL_STUDIO_URL": "http://studio.example", "LABEL_STUDIO_TOKEN": "t"}
    )
    specs = {spec.name: spec for spec in specs_of(plan)}
    assert "label-studio-environment" not in specs
    assert specs["label-studio-setup"].needs == ("database", "redis")


def test_an_external_label_studio_needs_its_token(tmp_path):
    with pytest.raises(UpError, match="LABEL_STUDIO_TOKEN"):
        plan_of(tmp_path, {"LABEL_STUDIO_URL": "http://studio.example"})


@pytest.mark.parametrize("port", ["0", "65536", "eighty", "-1"])
def test_what_is_no_port_is_refused(tmp_path, port):
    with pytest.raises(UpError, match="WEB_PORT"):
        plan_of(tmp_path, {"WEB_PORT": port})


def test_redis_keeps_its_port_unless_another_program_has_taken_it(tmp_path):
    first = plan_of(tmp_path)
    write_plan(first)
    assert plan_of(tmp_path).redis_port == first.redis_port
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.redis_port))
        other.listen()
        assert plan_of(tmp_path).redis_port != first.redis_port
        kept = make_plan(
            home=tmp_path, base_dir=tmp_path, environment={}, options={}, redis_runs=True
        )
        assert kept.redis_port == first.redis_port


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path):
    first, second = plan_of(tmp_path), plan_of(tmp_path)
    assert first.secrets == second.secrets
    for name in ("secrets.json", "services.json"):
        write_plan(first)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert len(set(first.secrets.values())) == len(first.secrets)


def test_first_passwords_are_shown_to_one_caller_only(tmp_path):
    plan_of(tmp_path)
    assert [take_first_showing(tmp_path) for _ in range(3)] == [True, False, False]


def test_the_background_supervisor_reads_the_same_plan(tmp_path):
    plan = plan_of(tmp_path, WEB_PORT=8100)
    write_plan(plan)
    read = load_plan(home=tmp_path, base_dir=tmp_path, environment={})
    assert read.services == plan.services
    assert [spec.fingerprint for spec in specs_of(read)] == [
        spec.fingerprint for spec in specs_of(plan)
    ]


def test_a_changed_port_changes_the_fingerprint(tmp_path):
    one, other = (
        {spec.name: spec.fingerprint for spec in specs_of(plan_of(tmp_path, WEB_PORT=port))}
        for port in (8100, 8200)
    )
    assert one["web"] != other["web"]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "services.json").write_text("{")
    with pytest.raises(UpError, match=r"services\.json is damaged"):
        plan_of(tmp_path)


def test_a_grown_log_is_rotated_and_its_writer_goes_on(tmp_path):
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        for text in (b"first " * 10, b"second " * 10, b"third"):
            writer.write(text)
            writer.flush()
            logs.rotate(log, max_bytes=50, kept=2)
    assert log.read_text() == "third"
    assert (tmp_path / "web.log.1").read_text().startswith("second")
    assert (tmp_path / "web.log.2").read_text().startswith("first")


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_what_is_no_number_of_trainings_at_once_is_refused(tmp_path, number):
    with pytest.raises(UpError, match="TRAIN_PROCESSES"):
        plan_of(tmp_path, {"TRAIN_PROCESSES": number})


def test_as_many_trainings_run_at_once_as_is_said(tmp_path):
    write_plan(plan_of(tmp_path))
    plan = load_plan(home=tmp_path, base_dir=tmp_path, environment={"TRAIN_PROCESSES": "3"})
    (worker,) = [spec for spec in specs_of(plan) if spec.name == "worker-train"]
    assert worker.argv[worker.argv.index("-c") + 1] == "3"


def test_a_training_a_device_runs_at_once(tmp_path):
    devices = {"TRAIN_DEVICES": "cuda:0,cuda:1,cuda:2"}
    assert plan_of(tmp_path, devices).train_processes == 3
    assert plan_of(tmp_path, devices | {"TRAIN_PROCESSES": "2"}).train_processes == 2
