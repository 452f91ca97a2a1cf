import json

import pytest

from annotation.labelstudio.inbox import process_inbox
from annotation.labelstudio.projects import SECRET_HEADER, WEBHOOK_PATH
from annotation.models import InboxEvent

SECRET = "the secret"
pytestmark = [pytest.mark.django_db, pytest.mark.urls("annotation.labelstudio.urls")]


@pytest.fixture
def post(client, settings):
    settings.LABEL_STUDIO_WEBHOOK_SECRET = SECRET

    def post(body, *, secret=SECRET):
        return client.post(
            WEBHOOK_PATH,
            body if isinstance(body, str) else json.dumps(body),
            content_type="application/json",
            headers={SECRET_HEADER: secret},
        ).status_code

    return post


def test_an_event_is_stored_once_however_often_it_comes(post):
    event = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "task": 2}}
    assert post(event) == 204
    assert post(event) == 204
    assert InboxEvent.objects.get().payload == event


@pytest.mark.parametrize("secret", ["", "a guess", "the secret, nearly"])
def test_who_does_not_know_the_secret_is_turned_away(post, secret):
    assert post({"action": "ANNOTATION_CREATED"}, secret=secret) == 403
    assert not InboxEvent.objects.exists()


def test_without_a_secret_set_nobody_gets_in(post, settings):
    settings.LABEL_STUDIO_WEBHOOK_SECRET = ""
    assert post({}, secret="") == 403


@pytest.mark.parametrize("body", ["not json", "null", "[]", "3"])
def test_what_is_no_json_object_is_refused(post, body):
    assert post(body) == 400
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("payload", [{}, {"project": 3}, {"project": {"id": 9}}])
def test_an_event_of_no_project_of_ours_is_closed_with_a_reason(payload):
    event = InboxEvent.objects.create(payload=payload, digest="d")
    assert process_inbox() == 0
    event.refresh_from_db()
    assert event.processed_at
    assert event.error
