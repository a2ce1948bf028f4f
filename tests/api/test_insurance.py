"""The insurance gateway's calls as a hospital's system makes them: it changes the address and nothing else."""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from fhir_gateway.api.insurance import CALLS, TAKE, TAKEN
from fhir_gateway.exchange.doors import Doors, PortalDoor
from fhir_gateway.security.password import hashed

pytestmark = pytest.mark.anyio
USER, PASSWORD = "22T02_BV", "mật khẩu"
MD5 = hashlib.md5(PASSWORD.encode()).hexdigest().upper()
ACCOUNTS = {
    "bai-chay": Doors(portal=PortalDoor(USER, hashed(PASSWORD))),
    "san-nhi": Doors(portal=PortalDoor("22T03_BV", hashed("khác"))),
}
SEND, CHECK_IN = "/api/qd130/guiHoSoXmlQD4750", "/api/qd130/checkInKcbQd4750"


@pytest.fixture
async def his(pair) -> AsyncIterator[httpx.AsyncClient]:
    """The hospital's system, and the gateway it was given the address of."""
    gateway = pair[0].gateway
    gateway.directory = replace(gateway.directory, doors=ACCOUNTS)
    transport = httpx.ASGITransport(gateway.app())
    async with httpx.AsyncClient(transport=transport, base_url=gateway.base_url) as client:
        yield client


async def logged_in(his, username=USER, password=MD5) -> dict[str, str]:
    key = (await his.post(TAKE, json={"username": username, "password": password})).json()["APIKey"]
    return {"accessToken": key["access_token"], "tokenId": key["id_token"], "passwordHash": MD5}


def fields(content: bytes, **others: str) -> dict[str, str]:
    own = {"username": USER, "loaiHoSo": "130", "maTinh": "22", "maCSKCB": "22T02"}
    return {**own, "fileHSBase64": b64encode(content).decode(), **others}


async def test_a_token_is_given_for_user_name_and_md5_as_json_or_form(his):
    given = {"username": USER, "password": MD5}
    for answer in (await his.post(TAKE, json=given), await his.post(TAKE, data=given)):
        assert answer.status_code == 200
        told = answer.json()
        assert told["maKetQua"] == "200"
        assert told["APIKey"].keys() == {"access_token", "id_token", "token_type", "username", "expires_in"}
        assert told["APIKey"]["expires_in"].endswith("Z")


@pytest.mark.parametrize(("username", "password"), [(USER, "0" * 32), ("22T09_BV", MD5), ("", ""), (USER, "")])
async def test_a_wrong_password_is_401_in_the_gateway_s_way(his, username, password):
    answer = await his.post(TAKE, json={"username": username, "password": password})
    assert (answer.status_code, answer.json()["maKetQua"]) == (200, "401")
    assert "APIKey" not in answer.json()


async def test_after_ten_wrong_passwords_the_right_one_must_wait(his):
    for _ in range(10):
        await his.post(TAKE, json={"username": USER, "password": "falsch"})
    assert (await his.post(TAKE, json={"username": USER, "password": MD5})).json()["maKetQua"] == "401"
    other = hashlib.md5("khác".encode()).hexdigest()
    assert (await his.post(TAKE, json={"username": "22T03_BV", "password": other})).json()["maKetQua"] == "200"


@pytest.mark.parametrize("path", [path for path in CALLS if "guiHoSo" in path])
async def test_a_file_is_taken_and_answered_with_the_receipt_hospitals_know(his, pair, message, path):
    answer = await his.post(path, json=fields(message("vn_xml/outpatient")), headers=await logged_in(his))
    told = answer.json()
    assert told.keys() == {"maKetQua", "maGiaoDich", "thoiGianTiepNhan", "thongDiep"}
    assert (told["maKetQua"], told["thongDiep"]) == ("200", TAKEN)
    receipt = (await pair[0].get("bai-chay", f"/ingest/bai-chay/{told['maGiaoDich']}")).json()
    assert receipt["state"] == "stored"
    hour = (int(receipt["received"][11:13]) + 7) % 24
    assert told["thoiGianTiepNhan"][8:] == f"{hour:02}{receipt['received'][14:16]}{receipt['received'][17:19]}"


async def test_the_file_is_kept_as_it_came_whether_by_form_or_json_or_bearer_token(his, pair, message):
    content, headers = message("vn_xml/outpatient"), await logged_in(his)
    bearer = {"Authorization": f"Bearer {headers['accessToken']}"}
    answers = [
        await his.post(SEND, json=fields(content), headers=headers),
        await his.post(SEND, data=fields(content), headers=headers),
        await his.post(SEND, data=fields(content), headers=bearer),
    ]
    assert len({answer.text for answer in answers}) == 1
    number = answers[0].json()["maGiaoDich"]
    original = await pair[0].get("bai-chay", f"/ingest/bai-chay/{number}/original")
    assert original.content == content


async def test_a_plus_that_the_form_lost_does_not_spoil_the_file(his, message):
    content = message("vn_xml/outpatient") + "<!-- ửậữ -->".encode()
    assert b"+" in b64encode(content)
    text = "&".join(f"{name}={value}" for name, value in fields(content).items())
    headers = {**await logged_in(his), "content-type": "application/x-www-form-urlencoded"}
    assert (await his.post(SEND, content=text.encode(), headers=headers)).json()["maKetQua"] == "200"


async def test_a_check_in_is_kept_too(his, pair):
    content = b"<CHI_TIEU_TRANG_THAI_KCB><DSACH_TRANG_THAI_KCB/></CHI_TIEU_TRANG_THAI_KCB>"
    told = (await his.post(CHECK_IN, json=fields(content, loaiHoSo="0"), headers=await logged_in(his))).json()
    assert told["maKetQua"] in ("200", "123")
    original = await pair[0].get("bai-chay", f"/ingest/bai-chay/{told['maGiaoDich']}/original")
    assert original.content == content


async def test_a_file_that_cannot_be_read_is_kept_and_answered_123_with_its_place(his, pair, message):
    answer = await his.post(SEND, json=fields(message("vn_xml/bad-truncated")), headers=await logged_in(his))
    told = answer.json()
    assert told["maKetQua"] == "123"
    assert "line" in told["thongDiep"]
    assert (await pair[0].get("bai-chay", f"/ingest/bai-chay/{told['maGiaoDich']}")).json()["state"] == "quarantined"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"fileHSBase64": "@@@"}, "205"),
        ({"fileHSBase64": ""}, "205"),
        ({"maCSKCB": "22T03"}, "403"),
        ({"maCSKCB": ""}, "205"),
        ({"username": "22T03_BV"}, "403"),
        ({"username": "22T99_BV"}, "403"),
    ],
)
async def test_what_does_not_fit_the_account_or_the_form_is_refused_by_the_gateway_s_codes(his, message, changed, code):
    given = fields(message("vn_xml/outpatient"), **changed)
    told = (await his.post(SEND, json=given, headers=await logged_in(his))).json()
    assert told["maKetQua"] == code
    assert told["maGiaoDich"] == ""


@pytest.mark.parametrize("headers", [{}, {"accessToken": "nonsense"}, {"Authorization": "Bearer nonsense"}])
async def test_without_a_valid_token_nothing_is_taken(his, pair, message, headers):
    told = (await his.post(SEND, json=fields(message("vn_xml/outpatient")), headers=headers)).json()
    assert told["maKetQua"] == "401"
    assert await pair[0].gateway.store.notes("inbox", {"hospital": "bai-chay"}, "", 9) == []


async def test_a_body_that_is_neither_json_nor_form_is_205(his):
    headers = await logged_in(his)
    for content in (b"{", b"[1]", b"\xff\xfe", b"{}", b""):
        assert (await his.post(SEND, content=content, headers=headers)).json()["maKetQua"] in ("205", "403")


async def test_a_file_beyond_the_limit_is_1001(his, pair):
    limit = pair[0].gateway.settings.message_limit
    told = (await his.post(SEND, json=fields(b"x" * (limit + 1)), headers=await logged_in(his))).json()
    assert told["maKetQua"] == "1001"


async def test_the_token_of_this_door_can_hand_in_files_and_nothing_else(his):
    token = (await logged_in(his))["accessToken"]
    answer = await his.get("/fhir/Patient", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403


async def test_a_gateway_that_is_behind_says_503_and_when_to_come_again(his, pair, message):
    backlog = pair[0].gateway.backlog
    backlog.limit = 1
    await backlog.admit("bai-chay")
    backlog.taken("bai-chay")
    answer = await his.post(SEND, json=fields(message("vn_xml/outpatient")), headers=await logged_in(his))
    assert (answer.status_code, answer.json()["maKetQua"]) == (503, "500")
    assert answer.headers["retry-after"]


async def test_every_login_and_every_file_is_on_the_audit_trail(his, pair, message):
    headers = await logged_in(his)
    await his.post(SEND, json=fields(message("vn_xml/outpatient")), headers=headers)
    await his.post(SEND, json=fields(b"x", maCSKCB="22T09"), headers=headers)
    events = await pair[0].search("auditor", "AuditEvent?_count=50")
    told = [(e["subtype"][0]["code"], e["outcome"]) for e in events if "bai-chay" in str(e["agent"])]
    assert ("login", "0") in told
    assert ("ingest", "0") in told
    assert any(code == "ingest" and outcome != "0" for code, outcome in told)


async def test_without_an_account_in_any_hospital_s_file_the_door_is_not_there(pair):
    answer = await pair[0].post("bai-chay", TAKE, {"username": USER, "password": MD5})
    assert answer.status_code == 404


async def test_the_gateway_describes_itself_with_this_door_open(his):
    described = (await his.get("/openapi.json")).json()
    assert SEND in described["paths"]


async def test_a_form_with_files_is_taken_with_the_file_as_it_is_or_in_base64(his, message):
    headers, body = await logged_in(his), message("vn_xml/outpatient")
    given = fields(body)
    encoded = given.pop("fileHSBase64")
    plain = await his.post(SEND, data=given, files={"fileHS": ("hs.xml", body, "text/xml")}, headers=headers)
    coded = await his.post(SEND, data=given, files={"fileHSBase64": (None, encoded)}, headers=headers)

    assert [answer.json()["maKetQua"] for answer in (plain, coded)] == ["200", "200"]
    assert plain.json()["maGiaoDich"] == coded.json()["maGiaoDich"]


async def test_a_form_with_files_that_is_cut_off_is_205(his):
    headers = {**await logged_in(his), "content-type": "multipart/form-data; boundary=x"}
    answer = await his.post(
        SEND, content=b'--x\r\ncontent-disposition: form-data; name="maCSKCB"\r\n\r\n22', headers=headers
    )
    assert answer.json()["maKetQua"] == "205"
