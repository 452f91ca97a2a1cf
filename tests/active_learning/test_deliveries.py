"""Word of alerts, to a real HTTP server that is down, broken or slow, and by e-mail."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from smtplib import SMTPServerDisconnected

import httpx
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from active_learning import alerts, deliveries, tasks, webhook
from active_learning.models import Alert, Delivery, Measurement
from annotation import web
from tests.factories import BrandFactory
from tests.services import free_port

pytestmark = pytest.mark.django_db
SECRET = "shared with the receiver"


@dataclass
class Receiver:
    """What came in, and how the next requests are answered (200 when nothing is said)."""

    port: int
    requests: list[tuple[dict, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    delay: float = 0
    location: str = ""


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    port = free_port()
    state = Receiver(port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append((dict(self.headers), body))
            time.sleep(state.delay)
            self.send_response(state.answers.pop(0) if state.answers else 200)
            if state.location:
                self.send_header("Location", state.location)
            self.end_headers()

        def log_message(self, *args) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.ALERT_WEBHOOK_URL = f"http://localhost:{port}/hook?team=risk"
    settings.ALERT_WEBHOOK_SECRET = SECRET
    settings.ALERT_WEBHOOK_PRIVATE = True
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def told(monkeypatch) -> list[int]:
    """Deliveries that a worker was told of, once their alert is committed."""
    ids: list[int] = []
    monkeypatch.setattr(tasks.deliver, "delay", ids.append)
    return ids


def open_alert(value: float = 0.02, **of) -> Alert:
    of = {"name": "flag_ratio", "subject": ""} | of
    row, _ = Measurement.objects.update_or_create(
        **of, day=timezone.localdate(),
        defaults={
            "value": value, "limit": 0.01, "n": 900, "state": "alert" if value > 0.01 else "ok",
        },
    )  # fmt: skip
    return alerts.follow(measurement=row)


def try_again() -> Delivery:
    """As the sweep would, once the wait is over."""
    Delivery.objects.filter(state="waiting").update(due_at=timezone.now())
    for pk in deliveries.due():
        deliveries.attempt(delivery_id=pk)
    return Delivery.objects.latest("pk")


def wait_of(delivery: Delivery) -> float:
    return (delivery.due_at - timezone.now()).total_seconds()


def test_nothing_is_queued_while_no_channel_is_configured():
    open_alert()
    assert not Delivery.objects.exists()


def test_an_opening_and_a_closing_are_posted_signed(
    receiver, told, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        alert = open_alert()
    assert told == [alert.deliveries.get().pk]
    tasks.deliver(told[0])
    headers, body = receiver.requests[0]
    stamp, signed = (part.split("=")[1] for part in headers["X-Touchstone-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert signed == expected
    assert abs(int(stamp) - time.time()) < 60
    assert headers["Host"] == f"localhost:{receiver.port}"
    said = json.loads(body)
    assert (said["event"], said["measure"], said["value"]) == ("opened", "flag_ratio", 0.02)
    assert said["text"] == "Flag ratio, all together: 2.00%, the limit is 1.00%"
    assert said["url"].endswith("/monitoring/")
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.error) == ("done", 1, "")
    open_alert(0.001)
    try_again()
    assert json.loads(receiver.requests[1][1])["event"] == "closed"
    assert Delivery.objects.filter(state="done").count() == 2


def test_a_second_message_of_the_same_delivery_sends_nothing(receiver):
    delivery = open_alert().deliveries.get()
    for _ in range(3):
        deliveries.attempt(delivery_id=delivery.pk)
    assert len(receiver.requests) == 1


def test_an_error_of_the_receiver_is_tried_again_ever_more_slowly(receiver):
    receiver.answers = [500, 503, 429]
    open_alert()
    waits = [wait_of(try_again()) for _ in range(3)]
    assert [round(wait / 30) for wait in waits] == [1, 2, 4]
    assert Delivery.objects.get().error == "answered 429"
    assert deliveries.due() == []  # not before its time
    assert try_again().state == "done"
    ids = {headers["X-Touchstone-Delivery"] for headers, _ in receiver.requests}
    assert ids == {str(Delivery.objects.get().pk)}  # by which the receiver knows them as one


def test_a_receiver_that_is_down_is_tried_until_given_up(receiver, settings):
    settings.ALERT_WEBHOOK_URL = f"http://127.0.0.1:{free_port()}/"
    open_alert()
    delivery = try_again()
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert delivery.error.startswith("no answer")
    Delivery.objects.update(attempts=deliveries.ATTEMPTS - 1)
    assert try_again().state == "failed"
    assert deliveries.due() == []


def test_a_slow_receiver_is_not_waited_for(receiver, monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT", httpx.Timeout(0.2))
    receiver.delay = 1
    open_alert()
    start = time.monotonic()
    assert try_again().state == "waiting"
    assert time.monotonic() - start < 0.9


def test_a_receiver_that_trickles_ends_with_the_workers_patience(receiver, monkeypatch):
    def endless(**_):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(webhook, "post", endless)
    open_alert()
    delivery = try_again()
    assert (delivery.state, delivery.error) == ("waiting", "no answer in time")
    assert tasks.deliver.soft_time_limit < deliveries.CLAIM.total_seconds()


def test_attempts_that_take_their_workers_along_come_to_an_end(receiver):
    open_alert()
    Delivery.objects.update(attempts=deliveries.ATTEMPTS)
    delivery = try_again()
    assert (delivery.state, delivery.error) == ("failed", "no attempt came to an end")
    assert not receiver.requests


def test_what_will_never_be_taken_is_not_tried_again(receiver):
    receiver.answers = [410]
    open_alert()
    delivery = try_again()
    assert (delivery.state, delivery.error) == ("failed", "answered 410")


def test_a_redirect_is_not_followed(receiver):
    receiver.answers, receiver.location = [302], f"http://127.0.0.1:{receiver.port}/elsewhere"
    open_alert()
    assert try_again().error == "answered 302"
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.8"])
def test_private_addresses_are_refused_unless_allowed(receiver, settings, host):
    settings.ALERT_WEBHOOK_PRIVATE = False
    settings.ALERT_WEBHOOK_URL = f"http://{host}:{receiver.port}/"
    open_alert()
    delivery = try_again()
    assert delivery.state == "failed"
    assert "not a public address" in delivery.error
    assert not receiver.requests


def test_one_private_address_of_several_refuses_the_name(settings, monkeypatch):
    found = [(2, 1, 6, "", (ip, 443)) for ip in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *a, **k: found)
    settings.ALERT_WEBHOOK_URL = "https://hooks.example/"
    with pytest.raises(webhook.WebhookError, match=r"hooks\.example is 127\.0\.0\.1") as refused:
        webhook.post(payload={}, delivery=1)
    assert not refused.value.retry


def test_an_address_that_is_not_there_is_passed_over_for_the_next(receiver, monkeypatch):
    found = [(2, 1, 6, "", (ip, receiver.port)) for ip in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *a, **k: found)
    open_alert()
    assert try_again().state == "done"
    assert receiver.requests[0][0]["Host"] == f"localhost:{receiver.port}"


def test_a_worker_that_died_in_the_middle_is_followed_by_another(receiver):
    """Whether its word got out is not known: it is sent again, at least once and not at most."""
    delivery = open_alert().deliveries.get()
    Delivery.objects.update(due_at=timezone.now() + deliveries.CLAIM, attempts=1)
    deliveries.attempt(delivery_id=delivery.pk)
    assert not receiver.requests  # still in the other's hands
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    tasks.deliver_due()
    assert try_again().state == "done"


def test_e_mail_says_what_is_wrong_and_what_to_do(settings):
    settings.ALERT_EMAILS = ["ops@shop.example", "ml@shop.example"]
    BrandFactory(key="acme", name_en="Acme Shoes")
    open_alert(name="override_rate", subject="acme", value=0.9)
    assert try_again().state == "done"
    message = mail.outbox[0]
    assert message.to == settings.ALERT_EMAILS
    assert message.subject == (
        "[Touchstone] opened: Override rate, Acme Shoes: 90.00%, the limit is 1.00%"
    )
    assert "Read what reviewers changed" in message.body
    assert "alert-delivery-" in message.extra_headers["Message-ID"]


def test_a_mail_server_that_is_away_is_tried_again(settings, monkeypatch):
    settings.ALERT_EMAILS = ["ops@shop.example"]

    def away(*_):
        raise SMTPServerDisconnected("Connection unexpectedly closed")

    open_alert()
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", away)
        delivery = try_again()
    assert (delivery.state, delivery.error) == ("waiting", "Connection unexpectedly closed")
    assert try_again().state == "done"


def test_each_channel_has_its_own_state(receiver, settings):
    settings.ALERT_EMAILS = ["ops@shop.example"]
    receiver.answers = [404]
    open_alert()
    try_again()
    states = dict(Delivery.objects.values_list("channel", "state"))
    assert states == {"webhook": "failed", "email": "done"}


def test_a_channel_taken_out_of_the_settings_gets_nothing_more(receiver, settings):
    open_alert()
    settings.ALERT_WEBHOOK_URL = ""
    delivery = try_again()
    assert (delivery.state, delivery.error) == ("failed", "this channel is no longer configured")
