"""Pages that answer: what an image's prediction was learned from, and what learned from a label."""

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import embeddings
from active_learning.jobs import JobError
from active_learning.models import ModelVersion, Release
from active_learning.models.jobs import ACTIVE
from active_learning.selectors import lineage as selectors
from active_learning.views.acting import act
from annotation.access import STAFF, PageRequest, roles_allowed
from annotation.cards import answer_text
from annotation.listing import listing
from annotation.live import live
from annotation.models import Image

DATASETS = 20


@require_safe
@roles_allowed(*STAFF)
def image_lineage(request: PageRequest, sha256: str) -> HttpResponse:
    """The training items most like an image, and whether the models asked about learned them."""
    image = get_object_or_404(Image.objects.select_related("product", "weak_brand"), sha256=sha256)
    of = request.GET.get("of", "")
    try:
        versions = selectors.models_asked(of)
    except (Release.DoesNotExist, ModelVersion.DoesNotExist) as error:
        raise Http404(_("There is no such model.")) from error
    embedding = selectors.embedding_of(image)
    own, near = selectors.answers(image=image, embedding=embedding, versions=versions)
    choices, run = selectors.choices(), embedding.run
    context = {
        "image": image,
        "of": of,
        "choices": choices,
        "versions": versions,
        "own": own,
        "near": near,
        "embedder": _embedder(embedding, choices),
        "missing": selectors.no_embedding(embedding),
        "run": run,
        "is_busy": run is not None and run.state in ACTIVE,
        "may_embed": embedding.space is not None,
        "live": live(request, shown=run.state if run else ""),
    }
    part = request.htmx.target == "near"
    return render(request, "lineage/_near.html" if part else "lineage/image.html", context)


def _embedder(embedding: selectors.Embedding, choices: list[selectors.Choice]) -> str:
    """The classifier whose embeddings are compared; empty when it is an old one."""
    if embedding.space is None:
        return ""
    return next((one.text for one in choices if one.artifact == embedding.space.model), "")


@require_POST
@roles_allowed(*STAFF)
def image_embed(request: PageRequest, sha256: str) -> HttpResponse:
    """Queue the embedding of an image that the background does not embed."""
    image = get_object_or_404(Image, sha256=sha256)
    return act(
        request,
        lambda: embeddings.search_by_picture(file=image.file, by=request.user),
        done=_("The image is being embedded."),
        to=f"{reverse('image-lineage', args=[sha256])}?of={request.POST.get('of', '')}",
        refusals=(JobError,),
    )


@require_safe
@roles_allowed(*STAFF)
def label_lineage(request: PageRequest, pk: int) -> HttpResponse:
    """The datasets a label is in and the models that learned from it."""
    label = get_object_or_404(selectors.labels(), pk=pk)
    page = listing(request, queryset=selectors.datasets_since(label), per_page=DATASETS)
    context = {
        "label": label,
        "text": answer_text(label),
        "listing": page,
        "rows": selectors.taught(label=label, datasets=page.page),
    }
    return render(request, "lineage/label.html", context)
