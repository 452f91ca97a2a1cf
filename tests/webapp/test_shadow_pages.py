"""Pages and API of releases in shadow."""

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from active_learning import shadow_ends
from active_learning.models import Release, Scan, Shadow
from tests.active_learning.test_promotion import champion, version  # noqa: F401
from tests.active_learning.test_shadows import (  # noqa: F401
    end,
    home,
    new,
    pool,
    put_in_shadow,
    settled,
    two_days,
)

pytestmark = pytest.mark.django_db


def test_a_person_puts_a_release_in_shadow_on_its_page(log_in, new):  # noqa: F811
    client = log_in("ml_engineer")
    address = reverse("release", args=[new.number])
    assert "Put in shadow…" in client.get(address).content.decode()
    begin = reverse("shadow-begin", args=[new.number])
    refused = client.post(begin, {"hours": "a day"}, follow=True).content.decode()
    assert "is not a whole number of hours" in refused
    page = client.post(begin, {"hours": "24"}, follow=True).content.decode()
    assert "is in shadow" in page
    assert "it is in shadow until" in page, "and that stands against promoting it"
    assert "Put in shadow…" not in page
    page = client.get(reverse("shadow", args=[new.number])).content.decode()
    assert "Its hours are not over." in page
    client.post(reverse("shadow-end", args=[new.number]))
    assert Shadow.objects.get().ends_at <= timezone.now()


def test_a_release_that_never_was_in_shadow_has_no_such_page(log_in, champion):  # noqa: F811
    client = log_in("ml_engineer")
    assert client.get(reverse("shadow", args=[champion.number])).status_code == 404


def test_the_page_shows_both_on_the_same_images_and_where_they_differ(
    log_in,
    new,  # noqa: F811
    two_days,  # noqa: F811
    django_assert_max_num_queries,
):
    images = pool(100, days_ago=1)
    shadow = end(put_in_shadow(new))
    settled(shadow, images, own=[0], champions=[1, 2])
    client = log_in("ml_engineer")
    address = reverse("shadow", args=[new.number])
    with django_assert_max_num_queries(15):
        page = client.get(address).content.decode()
    for words in ("1.00% <small>", "2.00% <small>", "97.00% <small>", "only the champion flags (2)",
                  "Scores of the challenger", "flag ratio 1.00% of 100 fresh images"):  # fmt: skip
        assert words in page, words
    assert page.count('class="card"') == 1
    assert f"b={new.number}&amp;kind=classifier&amp;label=acme" in page
    assert client.get(address + "?show=champion_only").content.decode().count('class="card"') == 2


def test_scans_that_are_gone_are_said_so_beside_the_figures(log_in, new, two_days):  # noqa: F811
    images = pool(60, days_ago=1)
    shadow = end(put_in_shadow(new))
    settled(shadow, images, own=[0], champions=[1])
    Scan.objects.update(output="/nowhere")
    page = log_in("ml_engineer").get(reverse("shadow", args=[new.number])).content.decode()
    assert "1.67% <small>" in page
    assert 'class="card"' not in page


def test_the_api_puts_in_shadow_shows_and_ends(people, new):  # noqa: F811
    client = APIClient()
    client.force_authenticate(people["operations"])
    asked = {"release": new.number, "hours": 24}
    assert client.post("/api/shadows/", asked, format="json").status_code == 403
    client.force_authenticate(people["ml_engineer"])
    made = client.post("/api/shadows/", asked, format="json")
    assert made.status_code == 201
    assert client.post("/api/shadows/", asked, format="json").status_code == 409
    pk = made.json()["id"]
    assert client.post(f"/api/shadows/{pk}/end/").status_code == 200
    shadow_ends.bring_to_an_end()
    told = client.get(f"/api/shadows/{pk}/").json()
    assert (told["state"], told["report"]["groups"]) == ("done", 0)
    assert told["report"]["verdict"]["met"] is False
    assert Release.objects.get(pk=new.pk).state == "rejected"
