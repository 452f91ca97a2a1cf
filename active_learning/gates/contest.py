"""One candidate's model against the champion's: which gates it goes through."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from active_learning.gates import budgets, leakage, protected, recall, slices
from active_learning.gates.verdict import Verdict, joined
from active_learning.models import ModelKind
from active_learning.sentences import sentence


@dataclass(frozen=True)
class Contest:
    """
    Attributes:
        kind: of the model.
        report: what it reached, as `ml evaluate` says.
        champion: the champion's report on the same test sets; None where it has no such model.
        alone: the kind of the model whose report `champion` is instead, where a fusion is held
            against one of those that it joins.
        paired: `ml.evaluate.gating.gate_changes` of both; None where there is no champion, or the
            scores of one were not kept.
        brands: those both are trained for; None where all are.
        protected: names by key of the brands whose recall may not fall.
        shared: groups that both the training material and the test sets hold; None: not known.
    """

    kind: str
    report: Mapping[str, Any]
    champion: Mapping[str, Any] | None = None
    alone: str | None = None
    paired: Mapping[str, Any] | None = None
    brands: Collection[str] | None = None
    protected: Mapping[str, str] = field(default_factory=dict)
    shared: Collection[str] | None = ()

    def verdicts(self) -> Iterator[Verdict]:
        """A first model passes, however weak, but for a fault of its training material: without it
        nothing is ever asked that would teach a better one."""
        if self.alone is not None:
            yield Verdict("against", True, sentence(
                "held against the %(model)s alone, here called the champion",
                model=sentence(self.alone),
            ))  # fmt: skip
        yield from self._overall()
        yield budgets.flag_ratio(self.report, self.champion)
        if self.champion is not None and self.paired is not None:
            yield from protected.hold(
                protected=self.protected,
                changes=self.paired.get("closed", {}).get("per_brand", {}),
                dropped=self.paired["dropped"],
            )
            yield slices.none_worse(self.paired["slices"])
        yield from budgets.costs(self.report, self.champion)
        yield leakage.disjoint(self.shared)

    def _overall(self) -> Iterator[Verdict]:
        """Detectors are compared by their boxes where there are true ones to compare with."""
        if self.kind == ModelKind.DETECTOR and "map50" in recall.figures_read(self.report):
            yield recall.average_precision(self.report, self.champion)
        elif self.champion is not None and self.paired and "closed" in self.paired:
            yield from recall.paired_recall(self.paired["closed"])
        else:
            shared = self.brands if self.kind != ModelKind.VARIATION else None
            yield recall.reported_recall(self.report, self.champion, shared)


def judge(contests: Mapping[str, Contest]) -> dict[str, dict[str, Any]]:
    """Judge each model by itself.

    Returns:
        `{kind: {"passed": bool, "reasons": [reason, …]}}`; a reason is a sentence of
        `active_learning.sentences` with the figures, the name of its `gate`, and `met`.
    """
    return {kind: joined(contest.verdicts()) for kind, contest in contests.items()}
