from annotation.keywords import Phrase, phrases, searches
from annotation.models import Brand


def test_a_text_falls_into_phrases_of_one_script():
    assert phrases("The symbol small, repeated in rows; 老花 or 压纹。双G") == [
        Phrase("symbol", False), Phrase("repeated rows", False), Phrase("老花", True),
        Phrase("压纹", True), Phrase("g", False),
    ]  # fmt: skip
    assert phrases("of the, 。") == []


def test_a_phrase_is_in_a_title_that_has_all_its_words():
    stripes = Phrase("slanted stripes", False)
    assert stripes.is_in("stripes, slanted and red")
    assert not stripes.is_in("slanted stripesuit")
    assert Phrase("斜条纹", True).is_in("新款斜条纹跑步鞋")


def test_names_go_with_phrases_of_their_script_and_are_not_said_twice():
    brand = Brand(name_en="Acme", name_zh="", aliases=["橡果", "ACM"])
    asked = searches(brand, phrases("Acme stripes, 橡果条纹"))
    assert asked == ["Acme stripes", "ACM stripes", "橡果 条纹"]
    assert searches(Brand(name_en="Acme"), [Phrase("条纹", True)]) == ["Acme 条纹"]
    assert searches(brand, phrases("Acme")) == []
