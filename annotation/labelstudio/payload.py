"""A task as Label Studio gets it. Whoever can log in there can read it all, so it says nothing
about why the task was chosen or what is known of its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from annotation.files import absolute_url
from annotation.labelstudio import guideline, precedents
from annotation.labelstudio.configs import MARK, NONE, OTHER, PREDICTION_VERSION, UNSURE
from annotation.models import Brand, Case, GuidelineVersion, Task
from annotation.models.label import Answer

TASK_KEY = "touchstone"  # our id in the task data
KEYS = "123456789"


@dataclass(frozen=True)
class Knowledge:
    """What rendering a batch of tasks needs: brands by key, guidelines by brand id, the nearest
    cases by image id."""

    brands: Mapping[str, Brand]
    guidelines: Mapping[int, GuidelineVersion]
    cases: Mapping[int, Sequence[Case]] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A task's import entry, and what it shows of what operations staff wrote."""

    data: dict
    versions: Sequence[GuidelineVersion]
    cases: Sequence[Case]


def gather(*, tasks: Sequence[Task]) -> Knowledge:
    """The brands that `tasks` name, and their published guidelines."""
    brands = Brand.objects.filter(key__in={key for task in tasks for key in _likely(task)})
    guidelines = guideline.published(brand_ids=[brand.pk for brand in brands])
    asked = {task.image_id for task in tasks if task.kind == Task.Kind.BRAND}
    return Knowledge(
        brands={brand.key: brand for brand in brands},
        guidelines=guidelines,
        cases=precedents.nearest(image_ids=asked),
    )


def build(*, task: Task, knowledge: Knowledge) -> Entry:
    """The import entry of a task, with the guideline versions and the cases it shows.

    Raises ValueError for a box task that names no brand to look for.
    """
    product = task.image.product
    data: dict = {
        TASK_KEY: str(task.pk),
        "image": absolute_url(name=task.image.file),
        "title": (product.title if product else "") or "\u00a0",
        "note": guideline.note(task.note),
    }
    keys = offered(task=task, brands=knowledge.brands)
    explained = [
        brand for brand in keys.values() if brand.key in _likely(task)[: guideline.SHOWN_BRANDS]
    ]
    if task.kind == Task.Kind.BRAND:
        data["brands"] = choices(keys)
    elif task.kind == Task.Kind.BOXES:
        if task.focus_brand is None:
            raise ValueError(f"box task {task.pk} names no brand to look for")
        explained = [task.focus_brand]
        data["ask"] = f"Box every mark of {guideline.brand_title(task.focus_brand)}"
    else:
        explained = []  # an arrangement is the same whatever the brand
    versions = [
        knowledge.guidelines[brand.pk] for brand in explained if brand.pk in knowledge.guidelines
    ]
    if task.kind == Task.Kind.VARIATION:
        data["guideline"] = guideline.ARRANGEMENTS
    else:
        data["guideline"] = guideline.render(versions=versions)
    cases = knowledge.cases.get(task.image_id, ()) if task.kind == Task.Kind.BRAND else ()
    data["cases"] = precedents.render(cases=cases)
    entry: dict = {"data": data}
    if proposal_shown(task=task):
        prediction = {"model_version": PREDICTION_VERSION, "result": _regions(task)}
        entry["predictions"] = [prediction]
    return Entry(entry, versions, cases)


def offered(*, task: Task, brands: Mapping[str, Brand]) -> dict[str, Brand]:
    """Up to nine brands by their key on the keyboard. A brand has a key of its own, the same in
    every task unless a likelier one has it there; which is likelier does not show."""
    keys: dict[str, Brand] = {}
    for brand in [brands[key] for key in _likely(task) if key in brands][: len(KEYS)]:
        own = (brand.pk - 1) % len(KEYS)
        free = next(key for key in KEYS[own:] + KEYS[:own] if key not in keys)
        keys[free] = brand
    return dict(sorted(keys.items()))


def choices(keys: Mapping[str, Brand]) -> list[dict]:
    """As `<Choices value="$brands">` reads them; `alias` is what comes back."""
    brands = [
        {"value": guideline.brand_title(brand), "alias": brand.key, "hotkey": key}
        for key, brand in keys.items()
    ]
    return [
        *brands,
        {"value": "No brand", "alias": NONE, "hotkey": "0"},
        {"value": "Another brand", "alias": OTHER, "hotkey": "o"},
        {"value": "Unsure", "alias": UNSURE, "hotkey": "u"},
    ]


def proposal_shown(*, task: Task) -> bool:
    """Whether the person who answers sees what the model thinks."""
    return not task.blind and bool(_regions(task))


def _likely(task: Task) -> list[str]:
    """Keys of the brands that may be in the picture, likeliest first, each once."""
    named = [
        task.focus_brand.key if task.focus_brand else None,
        task.proposal.get("brand"),
        *task.proposal.get("candidates", []),
    ]
    return list(dict.fromkeys(key for key in named if key))


def _regions(task: Task) -> list[dict]:
    """The model's proposal as Label Studio's results."""
    proposal = task.proposal
    if task.kind == Task.Kind.BRAND:
        picked = NONE if proposal.get("answer") == Answer.NONE else proposal.get("brand")
        return [_region("brand", "choices", {"choices": [picked]})] if picked else []
    if task.kind == Task.Kind.VARIATION:
        picked = proposal.get("variation")
        return [_region("variation", "choices", {"choices": [picked]})] if picked else []
    return [
        _region("boxes", "rectanglelabels", _rectangle(box, task), number)
        for number, box in enumerate(proposal.get("boxes") or [])
        if task.focus_brand and box.get("brand", task.focus_brand.key) == task.focus_brand.key
    ]


def _region(name: str, kind: str, value: dict, number: int = 0) -> dict:
    return {
        "id": f"{name}-{number}",
        "from_name": name,
        "to_name": "image",
        "type": kind,
        "value": value,
    }


def _rectangle(box: Mapping, task: Task) -> dict:
    """From pixels to percents, cut off at the edges."""
    width, height = task.image.width, task.image.height
    x1, x2 = (min(max(box[side] / width * 100, 0), 100) for side in ("x1", "x2"))
    y1, y2 = (min(max(box[side] / height * 100, 0), 100) for side in ("y1", "y2"))
    return {
        "x": x1,
        "y": y1,
        "width": x2 - x1,
        "height": y2 - y1,
        "rotation": 0,
        "rectanglelabels": [MARK],
    }
