"""Counters of one process."""

from fhir_gateway.api.traffic import Traffic


def test_requests_are_counted_by_route_and_end() -> None:
    traffic = Traffic()
    traffic.count("/fhir", "POST", 200, 0.2)
    traffic.count("/fhir", "POST", 200, 0.3)

    shown = traffic.exposition().decode()

    assert 'fhir_gateway_requests_total{method="POST",route="/fhir",status="200"} 2.0' in shown
    assert 'fhir_gateway_request_seconds_sum{route="/fhir"} 0.5' in shown


def test_two_gateways_in_one_process_count_apart() -> None:
    one, other = Traffic(), Traffic()
    one.count("/fhir", "GET", 200, 0.1)

    assert "/fhir" not in other.exposition().decode()
