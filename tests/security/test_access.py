from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_gateway.problem import Forbidden
from fhir_gateway.security.access import ACTIONS, ROLES, RULES, SCOPE_LETTERS, Access, may, may_ingest, readers
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.sight import EVERY_PATIENT, Outsider

ORGANIZATIONS = {"hospital": "bai-chay", "central": "bach-mai", "doctor": "qn-general", "gateway": "bach-mai"}
TYPES = ("Patient", "Person", "Observation", "ServiceRequest", "Communication", "Task", "AuditEvent", "Bundle")
LOOKS = ("read", "vread", "history-instance", "history-type", "history-system", "search-type", "search-system")

WRITES = {"create", "update", "patch", "delete", "$import"}

# The table once more, written by hand from the description: role, interactions, types, reader.
SEEN = tuple(t for t in TYPES if t != "AuditEvent")
EXPECTED = (
    ("hospital", (*LOOKS, "$everything"), SEEN, "bai-chay"),
    ("hospital", ("create", "update", "patch"), tuple(t for t in SEEN if t != "Person"), "bai-chay"),
    ("hospital", ("$export", "$export-file", "$import"), tuple(t for t in SEEN if t != "Person"), "bai-chay"),
    ("hospital", ("move",), ("Task",), "bai-chay"),
    ("hospital", ("ingest",), ("Bundle",), "bai-chay"),
    ("doctor", (*LOOKS, "$everything"), SEEN, Outsider("qn-general")),
    ("doctor", ("create",), ("ServiceRequest", "Communication"), Outsider("qn-general")),
    ("doctor", ("move",), ("Task",), Outsider("qn-general")),
    ("central", (*LOOKS, "$everything"), SEEN, "bach-mai"),
    ("central", ("move",), ("Task",), "bach-mai"),
    ("population", (*LOOKS, "$export", "$export-file"), ("Patient", "Person"), Outsider(None)),
    ("auditor", LOOKS, ("AuditEvent",), Outsider(None)),
    ("gateway", ("deliver",), ("Bundle",), "bach-mai"),
    ("admin", tuple(ACTIONS), SEEN, Outsider("")),
    ("admin", tuple(sorted(set(ACTIONS) - WRITES)), ("AuditEvent",), Outsider("")),
)
ALLOWED = {
    (role, i, t): reader for role, interactions, types, reader in EXPECTED for i, t in product(interactions, types)
}


def _caller(role: str, *scopes: str) -> Caller:
    return Caller(f"a {role}", role, ORGANIZATIONS.get(role, ""), scopes or ("system/*.cruds",))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("interaction", sorted(ACTIONS))
def test_a_role_may_do_what_the_table_says_and_nothing_else(role: str, interaction: str) -> None:
    for resource_type in TYPES:
        try:
            outcome = may(_caller(role), interaction, resource_type).reader
            allowed = True
        except Forbidden:
            outcome, allowed = None, False
        assert (allowed, outcome) == (
            (role, interaction, resource_type) in ALLOWED,
            ALLOWED.get((role, interaction, resource_type)),
        ), resource_type


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("interaction", ["create", "update", "patch", "delete"])
def test_nobody_writes_the_audit_trail(role: str, interaction: str) -> None:
    with pytest.raises(Forbidden):
        may(_caller(role), interaction, "AuditEvent")


@given(st.text(), st.text(), st.text())
def test_what_no_rule_names_is_forbidden(role: str, interaction: str, resource_type: str) -> None:
    with pytest.raises(Forbidden):
        may(Caller("x", "hospital", "bai-chay"), f"?{interaction}", resource_type)
    with pytest.raises(Forbidden):
        may(Caller("x", f"?{role}", "bai-chay"), "read", resource_type)


def test_a_hospital_writes_under_its_own_name() -> None:
    assert may(_caller("hospital"), "create", "Observation") == Access("bai-chay", "bai-chay")


def test_a_doctor_sees_every_hospital_and_writes_for_one() -> None:
    assert may(_caller("doctor"), "create", "ServiceRequest") == Access(Outsider("qn-general"), "qn-general")


@pytest.mark.parametrize("role", ["hospital", "central", "gateway"])
def test_a_confined_role_without_an_organization_may_nothing(role: str) -> None:
    nobody = Caller("x", role, "")
    for interaction, resource_type in product(ACTIONS, TYPES):
        with pytest.raises(Forbidden):
            may(nobody, interaction, resource_type)


def test_a_hospital_sends_messages_in_its_own_name_only() -> None:
    assert may_ingest(_caller("hospital"), "bai-chay").owner == "bai-chay"
    with pytest.raises(Forbidden, match="another hospital"):
        may_ingest(_caller("hospital"), "san-nhi")


def test_who_sees_every_hospital_sees_secrets_only_where_the_glass_is_broken() -> None:
    opened = Caller("d", "doctor", "qn-general", unlocked=("p",))
    assert may(opened, "read", "Patient").reader == Outsider("qn-general", ("p",))
    trusting = Caller("d", "doctor", "qn-general", unlocked=(EVERY_PATIENT,))
    assert may(trusting, "read", "Patient").reader is None
    confined = Caller("h", "hospital", "bai-chay", unlocked=(EVERY_PATIENT,))
    assert may(confined, "read", "Patient").reader == "bai-chay"


def test_an_admin_may_send_for_any_hospital() -> None:
    assert may_ingest(_caller("admin"), "san-nhi").reader == Outsider("")


def test_of_many_types_those_are_told_that_the_caller_may_look_at() -> None:
    asked = ("AuditEvent", "Patient", "Task")
    assert readers(_caller("hospital"), "search-type", asked) == {"Patient": "bai-chay", "Task": "bai-chay"}
    assert readers(_caller("population"), "search-type", asked) == {"Patient": Outsider(None)}
    assert readers(_caller("gateway"), "search-type", asked) == {}


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("hospital", "admin")])
def test_others_send_no_messages(role: str) -> None:
    with pytest.raises(Forbidden):
        may_ingest(_caller(role), "bai-chay")


@pytest.mark.parametrize(
    ("scope", "interaction", "resource_type", "allowed"),
    [
        ("system/*.rs", "read", "Patient", True),
        ("system/*.rs", "create", "Patient", False),
        ("system/Patient.r", "read", "Patient", True),
        ("system/Patient.r", "search-type", "Patient", False),
        ("system/Patient.r", "read", "Observation", False),
        ("system/*.read", "search-type", "Observation", True),
        ("system/*.read", "update", "Observation", False),
        ("system/*.write", "delete", "Observation", True),
        ("system/*.*", "delete", "Observation", True),
        ("system/Task.u", "move", "Task", True),
        ("system/*.rs", "move", "Task", False),
        ("system/*.rs", "ingest", "Bundle", False),
        ("user/*.cruds", "read", "Patient", False),
        ("", "read", "Patient", False),
    ],
)
def test_a_scope_narrows_the_role(scope: str, interaction: str, resource_type: str, allowed: bool) -> None:
    caller = _caller("admin", scope)
    if allowed:
        assert may(caller, interaction, resource_type)
    else:
        with pytest.raises(Forbidden, match="scope"):
            may(caller, interaction, resource_type)


def test_one_of_several_scopes_is_enough() -> None:
    assert may(_caller("admin", "system/Patient.r", "system/Task.u"), "move", "Task")


def test_every_action_has_a_scope_and_every_rule_a_known_role() -> None:
    assert set(ACTIONS.values()) == set(SCOPE_LETTERS)
    assert {rule.role for rule in RULES} == set(ROLES)
    assert all(rule.actions <= set(SCOPE_LETTERS) for rule in RULES)


@pytest.mark.parametrize("role", ["hospital", "doctor", "central"])
@pytest.mark.parametrize("interaction", ["read", "search-type", "create", "update", "patch", "delete"])
def test_a_subscription_is_its_own_houses_alone(role: str, interaction: str) -> None:
    assert may(_caller(role), interaction, "Subscription").reader == ORGANIZATIONS[role]


@pytest.mark.parametrize("role", ["population", "auditor", "gateway"])
def test_roles_without_records_of_their_own_subscribe_to_nothing(role: str) -> None:
    with pytest.raises(Forbidden):
        may(_caller(role), "create", "Subscription")
