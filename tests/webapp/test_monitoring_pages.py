"""The monitoring pages, the alerts on the home page, and both over the API."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from active_learning import alerts
from active_learning.models import Alert, Delivery, Measurement
from annotation.models import AuditEntry
from tests.factories import BrandFactory


def measured(name: str, subject: str, values: list[float], limit: float) -> Measurement:
    """A day each, the last today."""
    today = timezone.localdate()
    for back, value in enumerate(reversed(values)):
        Measurement.objects.create(
            name=name, subject=subject, day=today - timedelta(days=back), value=value, n=300,
            low=0.8 * value, high=1.2 * value, limit=limit,
            state="alert" if 0.8 * value > limit else "ok",
        )  # fmt: skip
    return Measurement.objects.get(name=name, subject=subject, day=today)


@pytest.fixture
def two_alerts(db) -> list[Alert]:
    BrandFactory(key="acme", name_en="Acme Shoes")
    ratio = measured("flag_ratio", "", [0.004, 0.006, 0.021], 0.01)
    rate = measured("override_rate", "acme", [0.3, 0.9], 0.5)
    measured("queue_age", "inbox", [0.1, 0.0], 1)
    Measurement.objects.create(
        name="embedding_drift", subject="classifier", day=timezone.localdate(), n=12,
        state="unknown",
    )  # fmt: skip
    return [alerts.follow(measurement=row) for row in (ratio, rate)]


def test_the_page_shows_open_alerts_then_every_measure_with_its_days(log_in, two_alerts):
    page = log_in("operations").get(reverse("monitoring")).content.decode()
    alert = page.index("Override rate, Acme Shoes: 90.00%, the limit is 50.00%")
    table = page.index("<table>")
    assert alert < table
    assert page.index("Flag ratio, all together: 2.10%, the limit is 1.00%") < table
    assert page.count("<polyline") == 3
    assert "0.004 → " in page  # the days on hover
    assert "inbox from Label Studio" in page
    assert "too few to say" in page
    assert "and give it hard negatives in a round" in page
    assert "set ALERT_WEBHOOK_URL or ALERT_EMAILS" in page
    # Past the limit, within it, and last what cannot be said.
    order = [page.rindex(words) for words in ("Acme Shoes", "inbox from", "embedding drift</td>")]
    assert order == sorted(order)


def test_measures_are_narrowed_by_the_address(log_in, two_alerts):
    page = log_in("ml_engineer").get(reverse("monitoring") + "?name=queue_age").content.decode()
    assert page.count("<polyline") == 1
    nothing = log_in("ml_engineer").get(reverse("monitoring") + "?name=answer_time")
    assert "Nothing fits these filters" in nothing.content.decode()


def test_an_alert_is_acknowledged_with_a_note(log_in, two_alerts, people):
    client, alert = log_in("operations"), two_alerts[0]
    address = reverse("acknowledge-alert", args=[alert.pk])
    refused = client.post(address, {"why": " "}, follow=True).content.decode()
    assert "Say what is being done about it." in refused
    page = client.post(address, {"why": "a promotion campaign"}, follow=True).content.decode()
    assert "operations is on it:" in page and "a promotion campaign" in page
    assert AuditEntry.objects.get(action="acknowledge").by == people["operations"]
    home = client.get(reverse("home")).content.decode()
    assert "(operations has acknowledged it)" in home
    # Those nobody has acknowledged come first.
    assert home.index("Override rate, Acme") < home.index("Flag ratio, all together")


def test_the_home_page_names_the_first_alerts_and_that_there_are_more(log_in, db):
    for number in range(12):
        alerts.follow(
            measurement=Measurement(
                name="override_rate", subject=f"b{number}", value=0.9, limit=0.5, state="alert"
            )
        )
    page = log_in("operations").get(reverse("home")).content.decode()
    assert page.count("Override rate, b") == 8
    assert "There are more alerts under Monitoring." in page


def test_what_became_of_the_word_is_shown(log_in, two_alerts, settings):
    settings.ALERT_EMAILS = ["ops@shop.example"]
    Delivery.objects.create(
        alert=two_alerts[0], channel="webhook", event="opened", payload={}, attempts=3,
        error="answered 503", due_at=timezone.now(),
    )  # fmt: skip
    client = log_in("ml_engineer")
    page = client.get(reverse("alerts")).content.decode()
    assert "attempt 3: answered 503" in page
    assert "Word of alerts goes out by: e-mail" in " ".join(
        client.get(reverse("monitoring")).content.decode().split()
    )
    waiting = client.get(reverse("alerts") + "?delivery=waiting").content.decode()
    assert "Flag ratio, all" in waiting and "Acme Shoes" not in waiting


def test_labelers_see_none_of_it(log_in, two_alerts):
    client = log_in("labeler")
    for address in (
        reverse("monitoring"), reverse("alerts"), "/api/alerts/", "/api/measurements/",
    ):  # fmt: skip
        assert client.get(address).status_code == 403
    assert client.post(f"/api/alerts/{two_alerts[0].pk}/acknowledge/").status_code == 403


def test_the_api_lists_narrows_and_acknowledges(people, two_alerts):
    api = APIClient()
    api.force_authenticate(people["operations"])
    today = timezone.localdate()
    rows = api.get(f"/api/measurements/?name=flag_ratio&since={today - timedelta(days=1)}").json()
    assert [row["value"] for row in rows["results"]] == [0.021, 0.006]
    assert api.get("/api/measurements/?subject=acme&state=alert").json()["count"] == 1
    assert api.get("/api/measurements/?name=nonsense").status_code == 400
    assert api.get("/api/alerts/?state=open").json()["count"] == 2
    place = f"/api/alerts/{two_alerts[1].pk}/acknowledge/"
    assert api.post(place, {}).status_code == 400
    answer = api.post(place, {"note": "guideline in work"})
    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, "operations")
    again = api.post(place, {"note": "again"})
    assert again.status_code == 409
    assert "has acknowledged this already" in again.json()["detail"]
