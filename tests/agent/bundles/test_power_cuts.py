"""Power may go, or the agent be killed, at every write of an import: what goes on ends as if nothing had happened."""

import pytest

from archipel_contract.jobs import JobState, Verb
from tests.agent.bundles.machine import FEW_STICK, FILE, StickStory
from tests.chaos.crashes import CUT, KILLED, every_instant, request, undisturbed

IMPORT = StickStory(name="import", request=request(Verb.IMPORT, bundle=str(FEW_STICK)))
UP = StickStory(name="up with a bundle", request=request(Verb.UP, bundle=str(FILE)))
STEP = 29  # in the suite each 29th instant of the long story; `make prove` has them all


@pytest.mark.parametrize("kind", [CUT, KILLED])
def test_an_import_cut_at_any_instant_ends_as_if_nothing_had_happened(kind: str) -> None:
    assert undisturbed(IMPORT).state is JobState.SUCCEEDED
    tally = every_instant(IMPORT, kind)
    assert tally.crashes > 40
    assert tally.wrong == []


@pytest.mark.parametrize("kind", [CUT, KILLED])
def test_up_with_a_bundle_cut_in_between_ends_as_if_nothing_had_happened(kind: str) -> None:
    tally = every_instant(UP, kind, STEP)
    assert tally.crashes > 10
    assert tally.wrong == []


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [CUT, KILLED])
def test_up_with_a_bundle_cut_at_any_instant_ends_as_if_nothing_had_happened(kind: str) -> None:
    assert every_instant(UP, kind).wrong == []
