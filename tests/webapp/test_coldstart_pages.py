"""Pages and API of cold starts: dials in, progress and the table out, for those who may."""

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from active_learning.models import ColdStart, Round
from tests.active_learning.factories import ReleaseFactory
from tests.active_learning.test_coldstarts import champion, nova, two_rounds  # noqa: F401

pytestmark = pytest.mark.django_db


def test_a_brand_page_leads_to_its_cold_starts(log_in, nova):  # noqa: F811
    client = log_in("operations")
    assert reverse("cold-starts", args=["nova"]) in client.get("/brands/nova/").content.decode()
    page = client.get(reverse("cold-starts", args=["nova"])).content.decode()
    assert "never started cold" in page
    assert "No closed image shows it" in page
    assert "Begin" not in page, "engineers begin it"


@pytest.mark.usefixtures("champion")
def test_an_engineer_sets_the_dials_and_begins(log_in, nova):  # noqa: F811
    client = log_in("ml_engineer")
    page = client.get(reverse("cold-starts", args=["nova"])).content.decode()
    assert "Preview a round" not in page, "the champion does not know the brand yet"
    asked = {"rounds": "2", "brand": "30", "negatives_per_brand": "", "hard_share": "80"}
    response = client.post(reverse("cold-start-begin", args=["nova"]), asked)
    begun = ColdStart.objects.get()
    assert response.url == reverse("cold-start", args=[begun.pk])
    assert (begun.rounds_wanted, begun.config["budget"]) == (2, 30)
    assert begun.config["hard_share"] == 0.8
    assert begun.config["negatives_per_brand"] is None
    page = client.get(response.url).content.decode()
    assert "Round 1" in page
    assert "Not measured yet." in page
    client.post(reverse("cold-start-cancel", args=[begun.pk]))
    assert Round.objects.get().state == "cancelled"


@pytest.mark.usefixtures("champion")
def test_a_dial_that_makes_no_sense_is_said_on_the_page(log_in, nova):  # noqa: F811
    client = log_in("ml_engineer")
    asked = {"rounds": "two"}
    page = client.post(reverse("cold-start-begin", args=["nova"]), asked, follow=True)
    assert "is not a whole number" in page.content.decode()
    assert not ColdStart.objects.exists()


def test_a_brand_the_champion_knows_can_be_previewed_first(log_in, nova):  # noqa: F811
    ReleaseFactory(state="champion", brands=["nova"])
    page = log_in("ml_engineer").get(reverse("cold-starts", args=["nova"])).content.decode()
    assert f'formaction="{reverse("forecast-request")}"' in page
    assert 'name="hard_negatives" value="75"' in page
    assert 'name="focus" value="nova"' in page


def test_the_page_and_its_live_part_show_the_table(
    log_in,
    two_rounds,  # noqa: F811
    django_assert_max_num_queries,
):
    client = log_in("operations")
    address = reverse("cold-start", args=[two_rounds.pk])
    with django_assert_max_num_queries(15):
        page = client.get(address).content.decode()
    assert "0.40 <small>±0.30</small>" in page
    assert "0.70 <small>±0.30</small>" in page
    assert "Cancel the cold start" not in page, "engineers act"
    part = client.get(address, headers={"HX-Request": "true", "HX-Target": "progress"})
    assert "<html" not in part.content.decode()
    assert "0.70" in part.content.decode()


def test_the_api_begins_shows_and_cancels(people, two_rounds, nova):  # noqa: F811
    client = APIClient()
    client.force_authenticate(people["operations"])
    told = client.get(f"/api/cold-starts/{two_rounds.pk}/").json()
    assert told["rounds"] == [1, 2]
    assert [row["lines"][0]["recall"]["value"] for row in told["standings"]] == [0.4, 0.7]
    assert client.post("/api/cold-starts/", {"brand": "nova"}).status_code == 403
    client.force_authenticate(people["ml_engineer"])
    again = client.post("/api/cold-starts/", {"brand": "nova"}, format="json")
    assert again.status_code == 409, "one of the brand is running"
    assert client.post(f"/api/cold-starts/{two_rounds.pk}/cancel/").json()["state"] == "cancelled"
    dials = {"brand": "nova", "rounds": 1, "config": {"budget": 12}}
    made = client.post("/api/cold-starts/", dials, format="json")
    assert made.status_code == 201
    assert made.json()["config"]["budget"] == 12
    assert client.get("/api/cold-starts/?state=cancelled").json()["count"] == 1
