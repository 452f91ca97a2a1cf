"""Reads of the gold page."""

from collections import defaultdict

from django.db.models import QuerySet

from annotation import gold_answers
from annotation.models import GoldItem
from annotation.selectors.annotators import accuracy


def items() -> QuerySet[GoldItem]:
    """Gold items with what a row shows, the newest first."""
    return GoldItem.objects.select_related("image__product", "brand", "added_by", "task")


def histories(*, found: list[GoldItem]) -> dict[int, list[gold_answers.GoldAnswer]]:
    """What was answered to each of these items, by its id; one query."""
    answers = defaultdict(list)
    labels = gold_answers.labels().filter(task__gold__in=found)
    for answer in gold_answers.read(labels):
        answers[answer.gold.pk].append(answer)
    return answers


def rows(*, found: list[GoldItem]) -> list[dict]:
    """Items with their answers and the share that was right."""
    answers = histories(found=found)
    return [
        {"item": item, "answers": answers[item.pk], "right": accuracy(answers[item.pk])}
        for item in found
    ]
