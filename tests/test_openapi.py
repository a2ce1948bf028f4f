"""The OpenAPI document against the gateway that serves it: nothing that fits or misfits it makes the gateway fail."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fhir_gateway.api.openapi import PATH

FIXTURES = Path(__file__).parents[1] / "fixtures"
CASES = int(os.environ.get("FHIR_GATEWAY_FUZZ_CASES", "4"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Address and token of a gateway that has records."""
    data = tmp_path_factory.mktemp("openapi")
    line = [sys.executable, "-m", "fhir_gateway"]
    serve = [*line, "serve", "--port", "0", "--data", str(data)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        base = process.stdout.readline().split()[1]
        told = subprocess.run(
            [*line, "token", "admin", "--data", str(data)], capture_output=True, text=True, check=True, timeout=60
        )
        message = FIXTURES / "vn_xml/outpatient/message.xml"
        headers = {"authorization": f"Bearer {told.stdout.strip()}"}
        sent = httpx.post(f"{base}/ingest/bai-chay?wait=true", content=message.read_bytes(), headers=headers)
        assert sent.status_code == 200
        yield base, headers
        process.terminate()


@pytest.fixture(scope="module")
def description(gateway):
    """The document as a stranger gets it."""
    base, _ = gateway
    return httpx.get(base + PATH).raise_for_status().json()


@pytest.fixture
def schema(gateway, description):
    base, _ = gateway
    loaded = schemathesis.openapi.from_dict(description)
    loaded.config.update(base_url=base)
    return loaded


def test_every_address_and_method_says_what_it_does(description):
    operations = [
        (path, method, one)
        for path, methods in description["paths"].items()
        for method, one in methods.items()
        if method != "parameters"
    ]
    assert len(operations) > 50
    assert [(path, method) for path, method, one in operations if not one["summary"]] == []


def test_only_what_needs_no_token_is_described_without(description, gateway):
    base, _ = gateway
    free = {
        path
        for path, methods in description["paths"].items()
        for one in methods.values()
        if isinstance(one, dict) and one.get("security") == []
    }
    known = {"/health", "/health/ready", "/auth/token", "/fhir/metadata"}
    assert free == known | {"/", "/session", "/fhir/.well-known/smart-configuration"}
    guarded = [path for path in description["paths"] if path not in free and "{" not in path]
    assert {httpx.get(base + path).status_code for path in guarded} == {401}


def test_no_request_makes_the_gateway_fail(schema, gateway):
    """FHIR_GATEWAY_FUZZ_CASES: how many requests for each address and method."""
    _, headers = gateway
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 50
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        def holds(case):
            case.call_and_validate(headers=headers, checks=CHECKS)

        holds()
