import json

import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override

from webapp import translations
from webapp.templatetags.touchstone import span, stage


def test_the_pages_say_in_chinese_all_they_say_in_english(capsys):
    call_command("check_translations")
    assert "texts are in Chinese too" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0.4, "0 s", "0 秒"),
        (61, "1 min 1 s", "1 分钟 1 秒"),
        (3600, "1 h", "1 小时"),
        (90_000, "1 d 1 h", "1 天 1 小时"),
        (11 * 86_400 + 7_200, "11 d", "11 天"),
    ],
)
def test_a_length_of_time_is_told_in_two_units_of_the_pages_language(seconds, english, chinese):
    assert span(seconds) == english
    with override("zh-hans"):
        assert span(seconds) == chinese


def test_what_a_job_is_doing_is_told_in_the_pages_language_where_it_has_words():
    with override("zh-hans"):
        assert stage("read images") == "读取图片"
        assert stage("something new") == "something new"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The catalogue, to be spoilt."""
    for suffix in (".po", ".mo"):
        original = translations.CATALOGUE.with_suffix(suffix)
        (tmp_path / original.name).write_bytes(original.read_bytes())
    monkeypatch.setattr(translations, "CATALOGUE", tmp_path / translations.CATALOGUE.name)
    return tmp_path


@pytest.mark.slow
def test_a_text_without_its_chinese_is_named_and_can_be_filled_in(copied, capsys):
    catalogue = translations.read()
    message = next(one for one in translations.said() if not one.plural and not one.context)
    given = catalogue.get(message.id).string
    catalogue.delete(message.id)
    catalogue.add("A text that is gone", "不再出现的话")
    translations.write(catalogue)
    with pytest.raises(CommandError) as refused:
        call_command("check_translations")
    assert repr(message.text) in str(refused.value)
    assert "'A text that is gone' is shown nowhere" in str(refused.value)

    (copied / "more.json").write_text(json.dumps({message.text: given}))
    call_command("check_translations", fill=str(copied / "more.json"))
    assert "texts are in Chinese too" in capsys.readouterr().out


def test_texts_of_sources_templates_and_choices_are_found_with_their_plurals():
    said = {(message.text, message.plural) for message in translations.said()}
    assert ("Log out", "") in said  # templates/base.html
    assert ("no box", "") in said  # annotation/cards.py
    assert ("%(count)d box", "%(count)d boxes") in said
    assert ("mass style", "") in said  # Case.Kind
