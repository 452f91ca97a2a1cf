"""The world's people as labelers who answer through the gateway."""

from annotation.gateway.upstream import open_entry
from annotation.labelstudio.configs import NONE as NO_BRAND
from annotation.labelstudio.configs import OTHER
from annotation.quality.world import World
from annotation.rehearsal.stage import Stage
from annotation.simulate import Question, SimulatedLabelers, _choice, _result


class Cast(SimulatedLabelers):
    """Simulated labelers who say what the world has them say, each in their own account."""

    def __init__(self, *, world: World, stage: Stage) -> None:
        super().__init__(truth={}, count=0, accuracy=1.0, seed=0)
        self._world = world
        self._stage = stage
        self._roles = list(stage.people)
        self._people = list(stage.people.values())
        for person in self._people:
            open_entry(user=person)

    def _answer(self, number: int, question: Question) -> list[dict] | None:
        part = self._stage.parts.get(question.sha256)
        if part is None:  # of another rehearsal
            return None
        said = self._world.answer(person=self._roles[number], item=part.item, name=part.name)
        key = said.removeprefix("brand:")
        if said == "none":
            return [_choice("brand", NO_BRAND)]
        if key in question.offered:
            return [_choice("brand", key)]
        typed = {"text": [self._names.get(key, key)]}
        return [_choice("brand", OTHER), _result("other_brand", "textarea", typed)]
