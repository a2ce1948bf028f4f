"""The statement of completeness and the feeds at the door: JSON, page, metric, health."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.exchange.completeness import verified
from fhir_gateway.exchange.inbox import SHELF, Receipt, State
from fhir_gateway.store.port import Commit, Note

pytestmark = pytest.mark.anyio
ADDRESS = "/ingest/bai-chay/completeness"


async def test_a_hospital_gets_its_signed_statement_and_no_other_hospitals(pair, message):
    province, _ = pair
    await province.ingest("bai-chay", "application/xml", message("vn_xml/outpatient"))
    await province.ingest("bai-chay", "application/xml", message("vn_xml/bad-truncated"))
    answer = await province.get("bai-chay", ADDRESS)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["messages"], told["states"]["stored"], told["states"]["quarantined"]) == (2, 1, 1)
    keys = province.gateway.keys
    assert verified(told, [keys.authority], datetime.now(UTC)).signed <= datetime.now(UTC)
    assert (await province.get("auditor", ADDRESS)).json()["messages"] == 2
    for other in ("san-nhi", "doctor", "population"):
        assert (await province.get(other, ADDRESS)).status_code == 403


async def test_the_page_shows_what_the_statement_says(pair, message):
    province, _ = pair
    await province.ingest("bai-chay", "application/xml", message("vn_xml/bad-truncated"))
    page = await province.get("bai-chay", f"{ADDRESS}?_format=html")
    assert page.headers["content-type"].startswith("text/html")
    assert "Quarantined, by reason" in page.text
    assert "not well formed" in page.text
    feeds = await province.get("bai-chay", "/exchange/feeds?_format=html")
    assert "Bệnh viện Bãi Cháy" in feeds.text
    assert "Sản Nhi" not in feeds.text


async def test_a_wrong_day_is_refused_with_its_name(pair):
    province, _ = pair
    for date in ("tomorrow", "2999-01-01"):
        answer = await province.get("bai-chay", f"{ADDRESS}?date={date}")
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["expression"] == ["date"]
    assert (await province.get("admin", "/ingest/nobody/completeness")).status_code == 404


async def test_a_silent_feed_is_seen_in_metrics_health_and_on_the_page(pair):
    province, _ = pair
    gateway = province.gateway
    last = datetime.now(UTC) - timedelta(hours=3)
    came = [last - timedelta(days=7 * week, minutes=5 * n - 175 * (week > 0)) for week in range(3) for n in range(90)]
    rows = [
        Receipt("bai-chay", f"{n:032x}", "0" * 64, "x", 1, when.isoformat(timespec="milliseconds"), State.STORED)
        for n, when in enumerate(came)
    ]
    await gateway.store.commit(Commit(notes=tuple(Note(SHELF, row.key, row.content()) for row in rows)))
    metrics = (await province.get("admin", "/metrics")).text
    assert re.search(r'^fhir_gateway_feed_silent\{hospital="bai-chay"\} 1\.0$', metrics, re.MULTILINE)
    assert re.search(r'^fhir_gateway_feed_silent\{hospital="san-nhi"\} 0\.0$', metrics, re.MULTILINE)
    assert (await province.http.get("/health/ready")).json()["silent_feeds"] == 1
    feeds = (await province.get("admin", "/exchange/feeds")).json()["feeds"]
    assert [feed["hospital"] for feed in feeds if feed["silent"]] == ["bai-chay"]
    page = (await province.get("admin", "/exchange/feeds?_format=html")).text
    assert "silent since" in page
