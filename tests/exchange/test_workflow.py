"""Five generic tests that every workflow table must pass, and the refusals of its reader."""

import itertools

import pytest

from fhir_gateway.exchange.referral import REFERRAL
from fhir_gateway.exchange.teleconsult import TELECONSULT
from fhir_gateway.exchange.workflow import RECEIVER, REQUESTER
from fhir_gateway.problem import BadRequest, Forbidden, IllegalMove

WORKFLOWS = pytest.mark.parametrize("workflow", [REFERRAL, TELECONSULT], ids=lambda w: w.name)
TASK_STATUS = {
    "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold",
    "failed", "completed", "entered-in-error",
}  # fmt: skip


@WORKFLOWS
def test_every_state_is_a_task_status(workflow):
    assert set(workflow.states) <= TASK_STATUS


@WORKFLOWS
def test_every_state_is_reachable(workflow):
    reached = {workflow.start}
    while more := {m.target for m in workflow.moves if reached & set(m.origins)} - reached:
        reached |= more
    assert reached == set(workflow.states)


@WORKFLOWS
def test_every_state_can_end(workflow):
    ends = {s for s in workflow.states if not any(s in m.origins for m in workflow.moves)}
    finishing = set(ends)
    while more := {o for m in workflow.moves if m.target in finishing for o in m.origins} - finishing:
        finishing |= more
    assert ends
    assert finishing == set(workflow.states)


@WORKFLOWS
def test_a_move_from_a_state_is_unambiguous(workflow):
    arrows = [(origin, move.name) for move in workflow.moves for origin in move.origins]
    assert len(arrows) == len(set(arrows))


@WORKFLOWS
def test_everything_that_is_not_in_the_table_is_refused(workflow):
    table = {(o, m.name, m.by) for m in workflow.moves for o in m.origins}
    names = [m.name for m in workflow.moves] + ["teleport"]
    everything = {need for m in workflow.moves for need in m.needs}
    for state, name, by in itertools.product(workflow.states, names, (REQUESTER, RECEIVER)):
        if (state, name, by) in table:
            assert workflow.step(state, name, {by}, everything).name == name
        else:
            with pytest.raises((IllegalMove, Forbidden)):
                workflow.step(state, name, {by}, everything)


def test_a_refusal_names_the_legal_moves():
    with pytest.raises(IllegalMove, match="legal now: accept, reject"):
        REFERRAL.step("received", "complete", {RECEIVER}, {"discharge-summary"})


def test_a_move_without_what_it_must_bring_is_refused():
    with pytest.raises(BadRequest, match="appointment"):
        REFERRAL.step("received", "accept", {RECEIVER}, ())


def test_the_diagram_shows_every_arrow():
    drawn = REFERRAL.diagram()
    assert drawn.count("-->") == 1 + sum(len(m.origins) for m in REFERRAL.moves) + 4
