"""Word of alerts by webhook and e-mail: at least once, tried again with growing waits, and its
state kept. A channel that is not configured gets nothing, also not later."""

import logging
from datetime import timedelta
from functools import partial
from smtplib import SMTPException, SMTPRecipientsRefused

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone, translation

from active_learning import monitoring_words, webhook
from active_learning.models import Alert, Delivery
from active_learning.webhook import WebhookError
from annotation.cards import brand_names

logger = logging.getLogger(__name__)

ATTEMPTS = 10
FIRST_WAIT = timedelta(seconds=30)  # doubled after each failure
LONGEST_WAIT = timedelta(hours=1)
# One attempt takes well under a minute. Whoever claimed a delivery and has not settled it by then
# is gone; whether the word got out is not known, so it is sent again.
CLAIM = timedelta(minutes=2)
BATCH = 100


def channels() -> list[Delivery.Channel]:
    """Those that are configured."""
    given = {
        Delivery.Channel.WEBHOOK: settings.ALERT_WEBHOOK_URL,
        Delivery.Channel.EMAIL: settings.ALERT_EMAILS,
    }
    return [channel for channel, address in given.items() if address]


def announce(*, alert: Alert, event: Delivery.Event) -> list[Delivery]:
    """Queue the word of an alert's opening or closing by every channel, in the transaction of the
    change itself; what is queued already stays as it is."""
    made = []
    for channel in channels():
        delivery, is_new = Delivery.objects.get_or_create(
            alert=alert,
            channel=channel,
            event=event,
            defaults={"payload": payload_of(alert, event), "due_at": timezone.now()},
        )
        if is_new:
            # Robust: with the broker away the error is logged, and the sweep finds the row.
            transaction.on_commit(partial(_tell, delivery.pk), robust=True)
            made.append(delivery)
    return made


def _tell(delivery_id: int) -> None:
    from active_learning import tasks

    tasks.deliver.delay(delivery_id)


def payload_of(alert: Alert, event: Delivery.Event) -> dict:
    """What is said, in English: `{"event", "alert", "measure", "subject", "value", "limit",
    "opened_at", "closed_at", "text", "advice", "url"}`."""
    with translation.override("en"):
        brand = brand_names([alert.subject]).get(alert.subject)
        text = monitoring_words.sentence_of(alert, brand)
        advice = monitoring_words.advice(alert.name, alert.subject)
    return {
        "event": str(event),
        "alert": alert.pk,
        "measure": alert.name,
        "subject": alert.subject,
        "value": alert.value,
        "limit": alert.limit,
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
        "text": text,
        "advice": advice,
        "url": settings.PUBLIC_URL + reverse("monitoring"),
    }


def attempt(*, delivery_id: int) -> None:
    """Try a delivery once if it is due; leave it where somebody else is at it."""
    now = timezone.now()
    due = Delivery.objects.filter(pk=delivery_id, state=Delivery.State.WAITING, due_at__lte=now)
    if not due.update(due_at=now + CLAIM, attempts=F("attempts") + 1):
        return
    delivery = Delivery.objects.get(pk=delivery_id)
    if delivery.attempts > ATTEMPTS:  # each ended without a word, with the worker that made it
        _note_failure(delivery, delivery.error or "no attempt came to an end", retry=False)
        return
    try:
        _send(delivery)
    except SoftTimeLimitExceeded:  # what trickles in keeps every timeout of a single read
        _note_failure(delivery, "no answer in time", retry=True)
    except WebhookError as error:
        _note_failure(delivery, str(error), retry=error.retry)
    except (SMTPException, OSError) as error:
        is_refused = isinstance(error, SMTPRecipientsRefused)
        _note_failure(delivery, str(error) or type(error).__name__, retry=not is_refused)
    else:
        Delivery.objects.filter(pk=delivery_id).update(
            state=Delivery.State.DONE, delivered_at=timezone.now(), error=""
        )


def _send(delivery: Delivery) -> None:
    if delivery.channel not in channels():
        raise WebhookError("this channel is no longer configured", retry=False)
    if delivery.channel == Delivery.Channel.WEBHOOK:
        webhook.post(payload=delivery.payload, delivery=delivery.pk)
        return
    said = delivery.payload
    EmailMessage(
        subject=" ".join(f"[Touchstone] {delivery.event}: {said['text']}".split()),
        body=f"{said['text']}\n\n{said['advice']}\n\n{said['url']}\n",
        to=settings.ALERT_EMAILS,
        # The same in every attempt: a mailbox that has it already need not show it twice.
        headers={"Message-ID": f"<alert-delivery-{delivery.pk}@touchstone>"},
    ).send()


def _note_failure(delivery: Delivery, error: str, *, retry: bool) -> None:
    logger.warning("%s: attempt %d: %s", delivery, delivery.attempts, error)
    this = Delivery.objects.filter(pk=delivery.pk)
    if not retry or delivery.attempts >= ATTEMPTS:
        this.update(state=Delivery.State.FAILED, error=error)
        return
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (delivery.attempts - 1))
    this.update(due_at=timezone.now() + wait, error=error)


def due() -> list[int]:
    """Deliveries whose time has come, whatever became of the messages that told of them."""
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING, due_at__lte=timezone.now())
    return list(waiting.order_by("due_at").values_list("pk", flat=True)[:BATCH])
