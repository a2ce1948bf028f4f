import pytest
from joserfc.jwk import KeySet

from fhir_gateway.security.access import ROLES
from fhir_gateway.security.caller import DEVELOPMENT_CLIENTS, SCOPE, development_clients
from fhir_gateway.security.keys import KeyRing


def test_the_built_in_clients_have_roles_and_keys_of_their_own(ring: KeyRing) -> None:
    clients = development_clients(ring)
    kids = {KeySet.import_key_set({"keys": client.keys["keys"]}).keys[0].kid for client in clients.values()}
    assert set(clients) == {name for name, _, _ in DEVELOPMENT_CLIENTS}
    assert len(kids) == len(clients)
    assert {client.role for client in clients.values()} <= set(ROLES)


def test_every_built_in_hospital_acts_for_itself_only(ring: KeyRing) -> None:
    hospitals = [client for client in development_clients(ring).values() if client.role == "hospital"]
    assert [client.organization for client in hospitals] == [client.name for client in hospitals]
    assert len(hospitals) == 3


def test_a_hospital_of_ones_own_has_a_client_and_takes_no_other_clients_name(ring: KeyRing) -> None:
    clients = development_clients(ring, ["ba-che", "qn-general", "admin", "Tên lạ"])

    assert set(clients) == {name for name, _, _ in DEVELOPMENT_CLIENTS} | {"ba-che"}
    assert (clients["ba-che"].role, clients["ba-che"].organization) == ("hospital", "ba-che")
    assert clients["admin"].role == "admin"


@pytest.mark.parametrize("scope", ["system/*.cruds", "system/Patient.rs", "system/*.read", "system/Task.*"])
def test_scopes_of_both_versions_of_smart_are_known(scope: str) -> None:
    assert SCOPE.fullmatch(scope)


@pytest.mark.parametrize(
    "scope", ["system/*.", "system/*.sr", "user/*.rs", "system/*.rsx", "openid", "system/patient.r"]
)
def test_other_scopes_are_not_known(scope: str) -> None:
    assert SCOPE.fullmatch(scope) is None
