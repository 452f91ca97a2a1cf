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
        ({"MLFLOW_TRACKING_URI": "mlruns"}, "webapp.E006"),
    ],
)
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_setting_that_cannot_work_is_named(settings, changed, fault):
    for name, value in changed.items():
        setattr(settings, name, value)
    assert found() == {fault}
