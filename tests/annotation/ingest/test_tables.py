"""What tables say: products, weak answers, labels, the brand list."""

import pytest

from annotation.ingest import ListingPolicy
from annotation.models import Brand, Consensus, Image, Label, Product
from ml.errors import InputError
from tests.annotation.ingest.conftest import picture, write_table
from tests.factories import BrandFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def table(folder):
    """Write a products.csv of lines, with a picture for each."""

    def write(*lines: dict) -> None:
        for i, line in enumerate(lines):
            picture(i).save(folder / f"{i}.png")
            line |= {"id": i, "file": f"{i}.png"}
            line.setdefault("brand", "")
        write_table(folder / "products.csv", list(lines))

    return write


def image(number: int) -> Image:
    return Image.objects.get(product__external_id=str(number))


def test_the_product_table_is_a_weak_answer_and_no_label(table, ingest):
    nike = BrandFactory(key="nike", name_en="Nike", aliases=["NIKE Inc"])
    BrandFactory(key="draft", name_en="Draft", state="draft")
    names = ["nike", " NIKE  inc ", "Unknown", "", "Draft"]
    table(*({"brand": name} for name in names))
    assert ingest().labels == 0
    weak = [(image(i).weak_answer, image(i).weak_brand) for i in range(5)]
    assert weak == [("brand", nike), ("brand", nike), ("other", None), ("", None), ("other", None)]
    assert Brand.objects.count() == 2


def test_a_product_keeps_what_the_table_says(table, ingest):
    line = {"title": "Blue shoe", "category": "Footwear", "article_type": "Shoes"}
    table(line | {"merchant": "m1", "price": "12.50"})
    ingest()
    product = Product.objects.get()
    assert (product.title, product.category) == ("Blue shoe", "Footwear > Shoes")
    assert (str(product.merchant), str(product.price)) == ("m1", "12.50")


def test_trusted_answers_become_labels_once(table, ingest):
    brand = BrandFactory(key="nike", name_en="Nike")
    table(
        {"brand": "Nike", "answer": "brand", "risk": "smear", "attack": "smear", "has_logo": "1"},
        {"answer": "none", "variation": "collage"},
        {"brand": "Unlisted", "answer": "brand"},
        {"brand": "Nike", "answer": ""},
        {"brand": "Nike", "answer": "unlabelled"},
    )
    assert ingest(trusted=True).labels == 4
    assert ingest(trusted=True).labels == 0
    label = image(0).labels.get()
    assert (label.source, label.kind, label.answer, label.brand) == (
        "import",
        "brand",
        "brand",
        brand,
    )
    assert (label.risk, label.attack, label.has_logo) == ("smear", "smear", True)
    assert image(2).labels.get().answer == "other"
    assert not Label.objects.filter(image__in=[image(3), image(4)]).exists()
    trusted = Consensus.objects.filter(trusted=True)
    assert trusted.get(image=image(1), kind="variation").variation == "collage"
    assert trusted.get(image=image(1), kind="brand").answer == "none"


def test_boxes_beside_the_products_are_labels_in_pixels_of_the_image(table, folder, ingest):
    BrandFactory(key="nike", name_en="Nike")
    table({"brand": "Nike"}, {}, {})
    write_table(
        folder / "boxes.csv",
        [
            {"file": "0.png", "brand": "Nike", "x1": -4, "y1": 20, "x2": 40, "y2": 60.04}
            | {"width": 192, "height": 192},
            {"file": "0.png", "brand": "Unlisted", "x1": 0, "y1": 0, "x2": 9, "y2": 9}
            | {"width": 192, "height": 192},
            {"file": "1.png", "brand": ""},
        ],
    )
    assert ingest().labels == 2
    boxes = [{"x1": 0.0, "y1": 10.0, "x2": 20.0, "y2": 30.02, "brand": "nike"}]
    assert image(0).labels.get(kind="boxes").boxes == boxes
    assert image(1).labels.get(kind="boxes").boxes == []
    assert not image(2).labels.exists()


def test_a_brand_listed_later_corrects_the_labels_it_was_missing_from(folder, ingest):
    picture(1).save(folder / "a.png")
    box = {"file": "a.png", "brand": "Nike", "x1": 1, "y1": 2, "x2": 30, "y2": 40}
    write_table(folder / "boxes.csv", [box])
    ingest()
    assert Consensus.objects.get(kind="brand").answer == "other"
    assert Consensus.objects.get(kind="boxes").boxes == []
    assert ingest(listing=ListingPolicy(named=["Nike"])).brands_listed == ["nike"]
    assert Consensus.objects.filter(kind="brand", brand__key="nike").exists()
    expected = {"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0, "brand": "nike"}
    assert Consensus.objects.get(kind="boxes").boxes == [expected]


def test_brands_are_listed_from_the_data_when_they_have_enough_images(table, ingest):
    BrandFactory(key="old", name_en="Old", state="retired")
    table(*({"brand": name} for name in ["Big", "BIG", "Small", "Old", "Old"]))
    policy = ListingPolicy(from_data=True, min_images=2)
    assert ingest(listing=policy).brands_listed == ["big"]
    assert ingest(listing=policy).brands_listed == []
    answers = [image(i).weak_answer for i in range(5)]
    assert answers == ["brand", "brand", "other", "other", "other"]


def test_lines_that_make_no_sense_are_set_aside(table, ingest, folder):
    table(
        {"price": "cheap"},
        {"answer": "maybe"},
        {"answer": "brand"},
        {"variation": "spiral"},
        {"risk": "bad luck"},
        {"has_logo": "perhaps"},
        {"brand": "x" * 121},
        {"price": "NaN"},
        {},
    )
    reasons = dict(ingest(trusted=True).set_aside)
    assert reasons == {
        "0.png": "price 'cheap' is not a number",
        "1.png": "unknown answer 'maybe'",
        "2.png": "answer is brand, but no brand is given",
        "3.png": "unknown variation 'spiral'",
        "4.png": "unknown risk 'bad luck'",
        "5.png": "has_logo is 'perhaps'; expected 1 or 0",
        "6.png": "brand longer than 120 characters",
        "7.png": "price 'NaN' is out of range",
    }
    assert Image.objects.count() == 1


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ({"x1": 5, "y1": 5, "x2": 5, "y2": 9}, "a box without area inside the image"),
        ({"x1": 500, "y1": 5, "x2": 600, "y2": 9}, "a box without area inside the image"),
        ({"x1": "a", "y1": 5, "x2": 6, "y2": 9}, "box side 'a' is not a number"),
        ({"x1": 1, "y1": 5, "x2": 6, "y2": ""}, "box side '' is not a number"),
        (
            {"x1": 1, "y1": 1, "x2": 6, "y2": 9, "width": 200, "height": 100},
            "boxes refer to 200 x 100 pixels, the image has 96 x 96",
        ),
    ],
)
def test_boxes_that_do_not_fit_are_set_aside(folder, ingest, box, reason):
    picture(1).save(folder / "a.png")
    write_table(folder / "boxes.csv", [{"file": "a.png", "brand": "Nike", **box}])
    assert ingest().set_aside == [("a.png", reason)]


def test_a_table_that_cannot_be_read_is_an_error_before_anything_is_written(folder, ingest):
    (folder / "products.csv").write_bytes(b"id,file\n1,a.jpg\n")
    with pytest.raises(InputError, match="no column 'brand'"):
        ingest()
    (folder / "products.csv").write_bytes("id,file,brand\n1,a.jpg,Ünknown\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        ingest(listing=ListingPolicy(named=["Nike"]))
    assert not Brand.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"directory": "/nonexistent"}, "no such folder"),
        ({"split": "exam"}, "unknown split"),
        ({"source": ""}, "source"),
        ({"format": "zip"}, "unknown format"),
        ({}, "no images"),
    ],
)
def test_wrong_arguments_are_one_clear_error(folder, ingest, wrong, message):
    with pytest.raises(InputError, match=message):
        ingest(**wrong)


def test_a_folder_of_pictures_of_one_brand_gives_its_positives(folder, ingest):
    acme = BrandFactory(key="acme")
    picture(1).save(folder / "a.png")
    picture(2).save(folder / "b.png")
    report = ingest(shows="acme", trusted=True)
    assert (report.added, report.labels) == (2, 2)
    labels = Label.objects.filter(answer="brand", brand=acme, source="import")
    assert labels.count() == 2
    assert set(Image.objects.values_list("split", flat=True)) <= {"train", "val"}
    assert ingest(shows="acme", trusted=True).labels == 0, "it is not said twice"


def test_what_a_folder_says_itself_stands_beside_the_brand_it_shows(folder, ingest):
    BrandFactory(key="acme")
    globex = BrandFactory(key="globex")
    picture(1).save(folder / "a.png")
    picture(2).save(folder / "b.png")
    lines = [{"file": "a.png", "brand": "globex"}, {"file": "b.png", "brand": ""}]
    write_table(folder / "products.csv", lines)
    ingest(shows="acme", trusted=True)
    weak = dict(Image.objects.values_list("weak_brand__key", "weak_answer"))
    assert weak == {"globex": "brand", "acme": "brand"}
    assert not Label.objects.filter(brand=globex).exists()
