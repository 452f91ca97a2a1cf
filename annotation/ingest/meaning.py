"""What a row says, in the platform's words: the weak answer and the labels."""

from annotation.ingest.brands import BrandList
from annotation.ingest.rows import Box, Row
from annotation.labels import Content
from annotation.models import Brand
from annotation.models.label import Answer
from annotation.models.task import Task


def weak_answer(row: Row, brands: BrandList) -> tuple[str, Brand | None]:
    """The source's own word, which need not show in the picture: brand, none, other or nothing."""
    if row.answer in (Answer.NONE, Answer.OTHER):
        return row.answer, None
    if not row.brand:
        return "", None
    brand = brands.find(row.brand)
    return (Answer.BRAND, brand) if brand else (Answer.OTHER, None)


def labels(
    row: Row, boxes: list[Box] | None, brands: BrandList, *, trusted: bool
) -> list[tuple[str, Content]]:
    """The labels (kind, content) that a row amounts to. Boxes always are; answers and variations
    are when the source is `trusted`.

    A box of a brand off the list is left out: to the detector it is background, as its brand is
    `other` to the classifier. Reading the folder again after the brand is listed corrects both.
    """
    found: list[tuple[str, Content]] = []
    if trusted and row.answer:
        answer, brand = weak_answer(row, brands)
        content = Content(
            answer=answer, brand=brand, risk=row.risk, attack=row.attack, has_logo=row.has_logo
        )
        found.append((Task.Kind.BRAND, content))
    if boxes is not None:
        found.append((Task.Kind.BOXES, Content(boxes=_listed_boxes(boxes, brands))))
    if trusted and row.variation:
        found.append((Task.Kind.VARIATION, Content(variation=row.variation)))
    return found


def _listed_boxes(boxes: list[Box], brands: BrandList) -> list[dict]:
    listed = ((box, brands.find(box.brand)) for box in boxes)
    return [
        {"x1": box.x1, "y1": box.y1, "x2": box.x2, "y2": box.y2, "brand": brand.key}
        for box, brand in listed
        if brand is not None
    ]
