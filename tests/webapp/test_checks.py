import pytest
from django.core.checks import run_checks


def found() -> set[str]:
    return {message.id for message in run_checks() if message.id and message.id[:6] == "webapp"}


def test_a_complete_installation_has_no_fault():
    assert found() == set()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"SECRET_KEY": "before-first-start"}, "webapp.E001"),
        ({"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}}}, "webapp.E002"),
        ({"REDIS_URL": "127.0.0.1:6379"}, "webapp.E003"),
        ({"LABEL_STUDIO_URL": "localhost:8080"}, "webapp.E004"),
        (
            {
                "PUBLIC_URL": "http://touchstone.example",
                "GATEWAY_URL": "http://touchstone.example:8081",
            },
            "webapp.W001",
        ),
        ({"GATEWAY_URL": "https://labels.example"}, "webapp.E005"),
        ({"ALERT_WEBHOOK_URL": "hooks.example", "ALERT_WEBHOOK_SECRET": "x"}, "webapp.E006"),
        ({"ALERT_WEBHOOK_URL": "https://hooks.example"}, "webapp.E007"),
        ({"ALERT_EMAILS": ["ops@shop.example"]}, "webapp.E008"),
        ({"MONITORING_FRESH_DAYS": 0}, "webapp.E009"),
        ({"MONITORING_LEAST_IMAGES": 5}, "webapp.E009"),
        ({"MONITORING_QUESTION_HOURS": -1.0}, "webapp.E009"),
        ({"MLFLOW_TRACKING_URI": "mlruns"}, "webapp.E010"),
        ({"SHADOW_HOURS": -1}, "webapp.E011"),
        ({"SHADOW_LEAST_IMAGES": 0}, "webapp.E012"),
        ({"SOURCE_LEAST_RIGHTNESS": 1.5}, "webapp.E013"),
        ({"SOURCE_LEAST_ANSWERS": 0}, "webapp.E013"),
        ({"TRAIN_DEVICES": ["gpu0"]}, "webapp.E014"),
        ({"TRAIN_DEVICES": ["cuda:0", "cuda:0"]}, "webapp.E014"),
        ({"CHILD_MEMORY_GB": 0.2}, "webapp.E015"),
    ],
)
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_setting_that_cannot_work_is_named(settings, changed, fault):
    for name, value in changed.items():
        setattr(settings, name, value)
    assert found() == {fault}
