"""What two servers are compared by: the requests they get and the ratios that are told."""

import pytest

from bench.peer import Peer, peer, ratios


def test_the_address_says_where_fhir_begins() -> None:
    asked = peer("http://127.0.0.1:8480/fhir/", "secret").get("Patient/1")

    assert (asked.path, asked.token) == ("/fhir/Patient/1", "secret")


def test_a_body_goes_to_where_fhir_begins() -> None:
    assert Peer(80, "/baseR4").post(b"{}").raw().startswith(b"POST /baseR4 HTTP/1.1\r\n")


def test_a_server_may_be_several_processes() -> None:
    assert peer("http://127.0.0.1:8481/fhir", pids="12,13").pids == (12, 13)


def test_a_server_without_tokens_is_shown_none() -> None:
    assert b"Authorization" not in peer("http://localhost:8480/fhir").get("metadata").raw()


@pytest.mark.parametrize("url", ["https://127.0.0.1/fhir", "http://fhir.example.org/r4", "127.0.0.1:80/fhir"])
def test_a_server_elsewhere_is_not_measured(url: str) -> None:
    with pytest.raises(ValueError, match="network"):
        peer(url)


def test_ratios_are_of_what_both_did() -> None:
    first = {"read": {"per_second": 300.0}, "search": {"per_second": 10.0}, "chain": {"per_second": 5.0}, "x": {}}
    second = {"read": {"per_second": 100.0}, "search": {"per_second": 0.0}, "x": {"per_second": 1.0}}

    assert ratios(first, second, "per_second") == {"read": 3.0}
