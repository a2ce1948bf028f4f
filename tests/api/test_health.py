"""Probes and counters."""

from collections.abc import Callable

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_probes_need_no_token(client_of: Callable[[str], httpx.AsyncClient], path: str) -> None:
    assert (await client_of("").get(path)).status_code == 200


async def test_counters_are_for_auditors_and_administrators(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    await client_of("admin").get("/fhir/Patient/none")

    await client_of("admin").request("NGUYEN", "/fhir/Patient/none")

    shown = await client_of("auditor").get("/metrics")

    assert 'fhir_gateway_requests_total{method="GET",route="/fhir/{type}/{id}",status="404"} 1.0' in shown.text
    assert ('method="OTHER"' in shown.text, "NGUYEN" in shown.text) == (True, False)
    assert (await client_of("bai-chay").get("/metrics")).status_code == 403
