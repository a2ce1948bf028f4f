"""Receipts, ledgers and originals as those who send messages meet them: as JSON and as pages."""

from html.parser import HTMLParser

import pytest

from fhir_gateway.api.pages import local
from fhir_gateway.exchange.completeness import today

pytestmark = pytest.mark.anyio

HL7, XML = "application/hl7-v2", "application/xml"


class Page(HTMLParser):
    """What a browser sees: texts, links, and the ids that links may lead to."""

    def __init__(self, text):
        super().__init__()
        self.text, self.links, self.ids, self.tags = "", [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        if "href" in found:
            self.links.append(found["href"])
        if "id" in found:
            self.ids.add(found["id"])

    def handle_data(self, data):
        self.text += data


async def sent(province, hospital, media_type, body):
    return (await province.ingest(hospital, media_type, body)).json()


async def ledger(province, receipt, query=""):
    place = f"/ingest/{receipt['hospital']}/{receipt['receipt']}"
    answer = await province.get(receipt["hospital"], f"{place}/ledger{query}")
    assert answer.status_code == 200, answer.text
    return answer


async def test_the_ledger_gives_the_bytes_of_each_field_of_hl7_v2(pair, message):
    province, _ = pair
    body = message("hl7v2/laboratory-oru")
    receipt = await sent(province, "qn-general", HL7, body)
    rows = {row["place"]: row for row in (await ledger(province, receipt)).json()["accounts"]}
    row = rows["MSH[1]-10[1]"]
    assert body[row["offset"] : row["offset"] + row["length"]] == b"QN-000002"
    assert all("length" in row for row in rows.values())


async def test_the_ledger_gives_the_bytes_in_the_inner_file_of_the_national_xml_and_its_element(pair, message):
    province, _ = pair
    receipt = await sent(province, "bai-chay", XML, message("vn_xml/episode-3176"))
    rows = (await ledger(province, receipt, "?place=XML1/HO_TEN")).json()["accounts"]
    assert [row["within"]["place"].rpartition("/")[2] for row in rows] == ["NOIDUNGFILE"]
    assert rows[0]["length"] > 0


async def test_a_ledger_is_filtered_by_fate_and_still_counts_everything(pair, message):
    province, _ = pair
    receipt = await sent(province, "bai-chay", XML, message("vn_xml/episode-3176"))
    told = (await ledger(province, receipt, "?fate=ignored")).json()
    assert {row["fate"] for row in told["accounts"]} == {"ignored"}
    assert len(told["accounts"]) == told["counts"]["ignored"] < told["counts"]["fields"]


async def test_a_fate_that_does_not_exist_is_refused_by_name(pair, message):
    province, _ = pair
    receipt = await sent(province, "bai-chay", XML, message("vn_xml/outpatient"))
    answer = await province.get("bai-chay", f"/ingest/bai-chay/{receipt['receipt']}/ledger?fate=lost")
    assert answer.status_code == 400
    assert "unmapped" in answer.text


async def test_the_ledger_page_shows_each_field_with_an_anchor_and_no_script(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    answer = await ledger(province, receipt, "?_format=html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = Page(answer.text)
    assert "script" not in page.tags
    rows = (await ledger(province, receipt)).json()["accounts"]
    assert {row["place"] for row in rows} <= page.ids
    assert f"{receipt['ledger']['fields']} fields" in page.text


async def test_a_browser_gets_the_page_and_a_program_the_values(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    path, bearer = f"/ingest/qn-general/{receipt['receipt']}", province.bearer("qn-general")
    for accept, wanted in (("text/html,*/*;q=0.8", "text/html"), ("application/json, text/html", "application/json")):
        for end in ("", "/ledger"):
            answer = await province.http.get(path + end, headers={**bearer, "Accept": accept})
            assert answer.headers["content-type"].startswith(wanted)


async def test_a_page_escapes_what_a_message_says(pair, message):
    province, _ = pair
    body = message("hl7v2/admission-a01").replace(b"PV1|", b"Z<b|<script>alert(1)</script>\rPV1|")
    receipt = await sent(province, "qn-general", HL7, body)
    path = f"/ingest/qn-general/{receipt['receipt']}"
    for end in ("?_format=html", "/ledger?_format=html"):
        assert "<script" not in (await province.get("qn-general", path + end)).text


async def test_the_page_of_a_quarantined_message_says_what_was_wrong_where_and_what_to_do(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/bad-lab-value"))
    page = Page((await province.get("qn-general", f"/ingest/qn-general/{receipt['receipt']}?_format=html")).text)
    assert receipt["problems"][0]["where"] in page.text
    assert receipt["problems"][0]["text"] in page.text
    assert f"{receipt['receipt']}/retry" in page.text
    assert f"{receipt['receipt']}/corrected" in page.text


async def test_no_other_hospital_sees_a_receipt_or_ledger_in_any_form(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    for end in ("", "/ledger", "/original", "?_format=html", "/ledger?_format=html"):
        answer = await province.get("bai-chay", f"/ingest/qn-general/{receipt['receipt']}{end}")
        assert answer.status_code == 403
        assert receipt["sha256"] not in answer.text


async def test_who_looked_at_a_ledger_is_on_the_audit_trail(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    await ledger(province, receipt, "?_format=html")
    events = await province.search("auditor", "AuditEvent?_sort=-date&_count=5&action=R")
    assert any("query" in entity for event in events for entity in event.get("entity", ()))


async def test_a_message_corrected_by_hand_keeps_both_and_links_them(pair, message):
    province, _ = pair
    wrong = await sent(province, "qn-general", HL7, message("hl7v2/bad-no-pid"))
    right = message("hl7v2/admission-a01")
    path = f"/ingest/qn-general/{wrong['receipt']}"
    headers = {**province.bearer("qn-general"), "Content-Type": HL7}
    answer = await province.http.post(f"{path}/corrected", content=right, headers=headers)
    assert answer.status_code == 202
    number = answer.json()["receipt"]
    assert (await province.ingest("qn-general", HL7, right)).json()["state"] == "stored"
    before = (await province.get("qn-general", path)).json()
    after = (await province.get("qn-general", f"/ingest/qn-general/{number}")).json()
    assert (before["state"], before["corrected_by"], after["corrects"]) == ("corrected", number, wrong["receipt"])
    for name, body in ((wrong["receipt"], message("hl7v2/bad-no-pid")), (number, right)):
        assert (await province.get("qn-general", f"/ingest/qn-general/{name}/original")).content == body
    listed = (await province.get("qn-general", "/ingest/qn-general?state=quarantined")).json()["receipts"]
    assert listed == []
    (source,) = [p for p in await province.search("qn-general", "Provenance") if len(p["entity"]) == 2]
    assert source["entity"][1]["what"]["identifier"]["value"] == f"qn-general/{wrong['receipt']}"


async def test_the_admin_replays_by_query_and_a_hospital_only_its_own(pair, message):
    province, _ = pair
    await sent(province, "qn-general", HL7, message("hl7v2/bad-no-pid"))
    await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    counted = await province.post("admin", "/exchange/replay", {"state": "quarantined", "dry_run": True})
    assert (counted.status_code, counted.json()["met"], counted.json()["retried"]) == (200, 1, 1)
    own = await province.post("qn-general", "/exchange/replay", {"hospital": "qn-general", "dry_run": True})
    assert (own.json()["met"], own.json()["remapped"]) == (1, 0)
    both = await province.post(
        "qn-general", "/exchange/replay", {"hospital": "qn-general", "state": "", "dry_run": True}
    )
    assert (both.json()["met"], both.json()["remapped"]) == (2, 1)
    done = await province.post("admin", "/exchange/replay", {"place": "PID", "format": "hl7v2"})
    assert (done.status_code, done.json()["retried"]) == (202, 1)
    assert (await province.post("qn-general", "/exchange/replay", {})).status_code == 403
    assert (await province.post("admin", "/exchange/replay", {"state": "lost"})).status_code == 400


async def test_only_a_quarantined_message_is_corrected_and_only_by_other_bytes(pair, message):
    province, _ = pair
    stored = await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    wrong = await sent(province, "qn-general", HL7, message("hl7v2/bad-no-pid"))
    headers = {**province.bearer("qn-general"), "Content-Type": HL7}

    async def correct(receipt, body):
        path = f"/ingest/qn-general/{receipt['receipt']}/corrected"
        return (await province.http.post(path, content=body, headers=headers)).status_code

    assert await correct(stored, message("hl7v2/laboratory-oru")) == 409
    assert await correct(wrong, message("hl7v2/bad-no-pid")) == 400
    assert await correct(wrong, message("hl7v2/admission-a01")) == 202
    assert await correct(wrong, message("hl7v2/admission-a01")) == 202
    assert await correct(wrong, message("hl7v2/laboratory-oru")) == 409


async def test_the_messages_of_a_hospital_are_a_page_that_leads_to_each_of_them(pair, message):
    province, _ = pair
    wrong = await sent(province, "qn-general", HL7, message("hl7v2/bad-no-pid"))
    await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    answer = await province.get("qn-general", "/ingest/qn-general?state=quarantined&_format=html")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Page(answer.text)
    messages = [one for one in page.links if one.startswith("/ingest/qn-general/") and "completeness" not in one]
    assert messages == [f"/ingest/qn-general/{wrong['receipt']}?_format=html"]
    assert "PID: there is no PID segment" in page.text


@pytest.mark.parametrize("query", ["state=quarantine", "fate=mapped"])
async def test_a_filter_of_receipts_that_there_is_not_is_an_error(pair, query):
    province, _ = pair
    answer = await province.get("qn-general", f"/ingest/qn-general?{query}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == [query.partition("=")[0]]


async def test_the_messages_of_a_day_come_newest_first_and_page_by_page(pair, message, monkeypatch):
    province, _ = pair
    monkeypatch.setattr("fhir_gateway.api.exchange.LIST_LIMIT", 2)
    names = ("hl7v2/admission-a01", "hl7v2/bad-lab-value", "hl7v2/discharge-a03")
    sent_first_to_last = [(await sent(province, "qn-general", HL7, message(name)))["receipt"] for name in names]
    day = today(province.gateway.directory.hospital("qn-general"), province.gateway.house.clock()).isoformat()
    first = (await province.get("qn-general", f"/ingest/qn-general?date={day}")).json()
    rest = (await province.get("qn-general", f"/ingest/qn-general?date={day}&after={first['after']}")).json()
    assert [r["receipt"] for r in first["receipts"] + rest["receipts"]] == sent_first_to_last[::-1]
    assert rest["after"] is None
    bad = (await province.get("qn-general", f"/ingest/qn-general?date={day}&state=quarantined")).json()
    assert [r["receipt"] for r in bad["receipts"]] == [sent_first_to_last[1]]
    before = (await province.get("qn-general", "/ingest/qn-general?date=2020-01-01")).json()
    assert before["receipts"] == []
    assert (await province.get("qn-general", "/ingest/qn-general?date=today")).status_code == 400


async def test_the_page_of_messages_is_today_in_the_hospitals_time_and_leads_on(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/bad-lab-value"))
    answer = await province.get("qn-general", "/ingest/qn-general?_format=html")
    assert local(receipt["received"], "+07:00") in answer.text
    assert "OBX[2]-5" in Page(answer.text).text
    assert "the day before" in Page(answer.text).text
    assert "the day after" not in Page(answer.text).text
    for link in [one for one in Page(answer.text).links if one.startswith("?")]:
        assert (await province.get("qn-general", f"/ingest/qn-general{link}")).status_code == 200


async def test_the_ledger_is_narrowed_by_a_form(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    page = (await ledger(province, receipt, "?_format=html&fate=mapped&place=PID")).text
    assert '<input name="place" value="PID" type="search">' in page
    assert '<input name="fate" value="mapped" type="hidden">' in page
    assert "form-action 'self'" in (await ledger(province, receipt, "?_format=html")).headers["content-security-policy"]


async def test_another_fate_is_shown_from_its_beginning(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    page = Page((await ledger(province, receipt, "?_format=html&place=PID&start=5")).text)
    assert "?place=PID&fate=ignored&_format=html" in page.links


async def test_an_original_is_saved_by_a_browser_and_never_run(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", "text/html", b"<script>alert(1)</script>")
    answer = await province.get("qn-general", f"/ingest/qn-general/{receipt['receipt']}/original")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_ways_out_of_quarantine_can_be_typed_as_they_stand(pair, message):
    province, _ = pair
    receipt = await sent(province, "qn-general", HL7, message("hl7v2/bad-lab-value"))
    page = Page((await province.get("qn-general", f"/ingest/qn-general/{receipt['receipt']}?_format=html")).text)
    assert f"http://quang-ninh/ingest/qn-general/{receipt['receipt']}/retry" in page.text
    assert "$GATEWAY" not in page.text
    assert f"replay --hospital qn-general --code {receipt['problems'][0]['code']}" in page.text


async def test_a_media_type_that_a_sender_chose_is_one_word_to_a_shell(pair, message):
    province, _ = pair
    chosen = f"{HL7}; x=';reboot;'"
    receipt = await sent(province, "qn-general", chosen, message("hl7v2/bad-lab-value"))
    page = Page((await province.get("qn-general", f"/ingest/qn-general/{receipt['receipt']}?_format=html")).text)
    assert f"Content-Type: {HL7}; x='\"'\"';reboot;'\"'\"''" in page.text
