"""Questions and returned tasks over the API."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.access import STAFF, Role
from annotation.filters import QuestionFilter, ReturnFilter
from annotation.labels import Content
from annotation.models import Brand, Label, Question, ReturnedTask, Task
from annotation.models.case import Case
from annotation.models.label import Answer, Variation
from annotation.questions import QuestionError, answer_question, dismiss_question
from annotation.returns import ReturnError, cancel_return, send_back
from annotation.selectors import questions as selectors
from annotation.serializers import BoxSerializer, named_by

ANSWERS = (Role.OPERATIONS,)


class Refused(APIException):
    """What was asked cannot be done in the state things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "refused"


class QuestionSerializer(serializers.ModelSerializer):
    image = serializers.CharField(source="task.image.sha256")
    kind = serializers.ChoiceField(source="task.kind", choices=Task.Kind.choices)
    asked_by = named_by("username")
    answered_by = named_by("username")
    brand = named_by("key")

    class Meta:
        model = Question
        fields = [
            "id", "task", "label", "image", "kind", "text", "state", "asked_by", "asked_at",
            "reply", "answer", "brand", "case", "answered_by", "answered_at", "seen_at",
        ]  # fmt: skip


class AnswerSerializer(serializers.Serializer):
    """An answer: a reply, and perhaps a verdict on the image that fits the task's kind."""

    reply = serializers.CharField()
    answer = serializers.ChoiceField(choices=Answer.choices, required=False)
    brand = serializers.SlugRelatedField(
        slug_field="key", queryset=Brand.objects.all(), required=False
    )
    variation = serializers.ChoiceField(choices=Variation.choices, required=False)
    boxes = BoxSerializer(many=True, required=False)
    as_case = serializers.ChoiceField(choices=Case.Kind.choices, required=False)
    as_gold = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs.get("answer") == Answer.BRAND) != ("brand" in attrs):
            raise serializers.ValidationError(
                {"brand": _("A brand belongs to the answer “brand”, and to no other.")}
            )
        return attrs


class DismissSerializer(serializers.Serializer):
    why = serializers.CharField()


class ReturnedTaskSerializer(serializers.ModelSerializer):
    to = named_by("username")
    returned_by = named_by("username")

    class Meta:
        model = ReturnedTask
        fields = [
            "id", "label", "task", "to", "reason", "comment", "state", "question", "returned_by",
            "created_at", "done_at",
        ]  # fmt: skip


class SendBackSerializer(serializers.Serializer):
    label = serializers.PrimaryKeyRelatedField(  # type: ignore[assignment]  # not its caption
        queryset=Label.objects.select_related("by", "task__focus_brand")
    )
    comment = serializers.CharField()


class QuestionViewSet(viewsets.ReadOnlyModelViewSet):
    """Labelers' questions, oldest first."""

    roles = STAFF
    write_roles = ANSWERS
    queryset = Question.objects.all()
    serializer_class = QuestionSerializer
    filterset_class = QuestionFilter

    def get_queryset(self):
        return selectors.questions()

    @extend_schema(request=AnswerSerializer, responses=QuestionSerializer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: str) -> Response:
        """Answer once, with all that follows: verdict, case, gold item, the task given back."""
        question = self.get_object()
        asked = _valid(AnswerSerializer, request)
        try:
            answer_question(
                question=question,
                by=_person(request),
                reply=asked["reply"],
                content=_content(question.task.kind, asked),
                as_case=asked.get("as_case", ""),
                as_gold=asked["as_gold"],
            )
        except QuestionError as refusal:
            raise Refused(str(refusal)) from refusal
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=DismissSerializer, responses=QuestionSerializer)
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Close without an answer, with a reason."""
        question, asked = self.get_object(), _valid(DismissSerializer, request)
        try:
            dismiss_question(question=question, by=_person(request), why=asked["why"])
        except QuestionError as refusal:
            raise Refused(str(refusal)) from refusal
        return Response(self.get_serializer(self.get_object()).data)


class ReturnedTaskViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet
):
    """Tasks given back to whoever answered them."""

    roles = STAFF
    write_roles = ANSWERS
    queryset = ReturnedTask.objects.select_related("to", "returned_by")
    serializer_class = ReturnedTaskSerializer
    filterset_class = ReturnFilter

    @extend_schema(request=SendBackSerializer, responses={201: ReturnedTaskSerializer})
    def create(self, request: Request) -> Response:
        """Send a label back with a comment."""
        asked = _valid(SendBackSerializer, request)
        try:
            returned = send_back(
                label=asked["label"], by=_person(request), comment=asked["comment"]
            )
        except ReturnError as refusal:
            raise Refused(str(refusal)) from refusal
        return Response(self.get_serializer(returned).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=DismissSerializer, responses=ReturnedTaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Ask no longer; the first answer stays."""
        returned, asked = self.get_object(), _valid(DismissSerializer, request)
        try:
            cancel_return(returned=returned, by=_person(request), why=asked["why"])
        except ReturnError as refusal:
            raise Refused(str(refusal)) from refusal
        return Response(self.get_serializer(self.get_object()).data)


def _content(kind: str, asked: dict[str, Any]) -> Content | None:
    """The verdict as a label says it. Raises ValidationError for one of another kind of task."""
    fits = {
        Task.Kind.BRAND: {"answer", "brand"},
        Task.Kind.VARIATION: {"variation"},
        Task.Kind.BOXES: {"boxes"},
    }[Task.Kind(kind)]
    given = {name: asked[name] for name in Content().fields() if name in asked}
    if given == {"answer": Answer.UNSURE}:
        return Content(answer=Answer.UNSURE)
    if not given.keys() <= fits:
        wrong = ", ".join(sorted(given.keys() - fits))
        raise serializers.ValidationError(
            {wrong: _("This is no verdict on a task of the kind %(kind)s.") % {"kind": kind}}
        )
    return Content(**given) if given else None


def _valid(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _person(request: Request) -> User:
    """Who asks; the permission lets nobody else this far."""
    return cast(User, request.user)
