"""The way in for people: a token is taken once, and the pages open; nothing else does."""

import pytest

from fhir_gateway.api.sign_in import COOKIE

pytestmark = pytest.mark.anyio

PAGE = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LIST = "/ingest/bai-chay?state=quarantined"


def token_of(running, client):
    return running.bearer(client)["Authorization"].removeprefix("Bearer ")


def told(event):
    return event["subtype"][0]["code"], event["outcome"]


async def entered(running, client, following=""):
    return await running.http.post("/session", data={"token": token_of(running, client), "next": following})


def keeping(running, client):
    """The headers of a browser that signed in."""
    return {**PAGE, "Cookie": f"{COOKIE}={token_of(running, client)}"}


async def test_a_browser_without_a_token_is_asked_for_one_and_comes_back_to_its_page(pair):
    province, _ = pair
    asked = await province.http.get(LIST, headers=PAGE)
    assert asked.status_code == 401
    assert asked.headers["www-authenticate"].startswith("Bearer")
    assert f'name="next" value="{LIST}"' in asked.text
    answer = await entered(province, "bai-chay", LIST)
    assert (answer.status_code, answer.headers["location"]) == (303, LIST)
    assert (await province.http.get(LIST, headers=PAGE)).status_code == 200


async def test_the_cookie_is_for_no_script_and_no_other_site(pair):
    province, _ = pair
    cookie = (await entered(province, "bai-chay")).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


async def test_a_form_on_another_site_signs_nobody_in_or_out(pair):
    province, _ = pair
    of_others = ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"})
    for given in ({"token": token_of(province, "bai-chay")}, {}):
        for headers in of_others:
            answer = await province.http.post("/session", data=given, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


async def test_a_form_on_a_page_of_ours_signs_in_over_plain_http_and_behind_a_proxy(pair):
    province, _ = pair
    given = {"token": token_of(province, "bai-chay")}
    page = await province.http.get("/")
    # With any stricter policy a browser would send ``Origin: null``.
    assert page.headers["referrer-policy"] == "same-origin"
    for headers in (
        {"Origin": str(province.http.base_url).rstrip("/")},
        {"Origin": "http://quang-ninh", "Host": "inner:8000"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ):
        assert (await province.http.post("/session", data=given, headers=headers)).status_code == 303


async def test_a_program_without_a_token_gets_an_outcome_as_before(pair):
    province, _ = pair
    answer = await province.http.get(LIST)
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("POST", "/ingest/bai-chay", {}),
        ("DELETE", "/fhir/Patient/x", {}),
        ("GET", LIST, {"Sec-Fetch-Mode": "cors"}),
        ("GET", "/fhir/Patient", {"Sec-Fetch-Mode": "no-cors"}),
    ],
)
async def test_the_cookie_proves_nothing_but_the_look_at_a_page(pair, method, path, more):
    province, _ = pair
    answer = await province.http.request(method, path, headers={**keeping(province, "admin"), **more})
    assert answer.status_code == 401


async def test_a_bad_header_is_not_mended_by_a_cookie(pair):
    province, _ = pair
    headers = {**keeping(province, "admin"), "Authorization": "Bearer nonsense"}
    assert (await province.http.get(LIST, headers=headers)).status_code == 401


async def test_a_wrong_token_is_told_and_kept_nowhere(pair):
    province, _ = pair
    answer = await province.http.post("/session", data={"token": "nonsense"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not this gateway" in answer.text


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/a\r\nb: c"])
async def test_nobody_is_led_away_from_this_gateway(pair, elsewhere):
    province, _ = pair
    answer = await entered(province, "bai-chay", elsewhere)
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


async def test_signing_out_forgets_the_token(pair):
    province, _ = pair
    answer = await province.http.post("/session", data={"token": ""})
    assert f"{COOKIE}=;" in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_a_sign_in_is_on_the_audit_trail(pair):
    province, _ = pair
    await entered(province, "san-nhi")
    found = await province.search("auditor", "AuditEvent?_sort=-date&_count=5")
    assert ("login", "0") in [told(event) for event in found if "san-nhi" in str(event["agent"])]


async def test_a_wrong_token_is_on_the_audit_trail_too(pair):
    province, _ = pair
    await province.http.post("/session", data={"token": "nonsense"})
    found = await province.search("auditor", "AuditEvent?_sort=-date&_count=5")
    assert ("login", "4") in [told(event) for event in found]


async def test_what_a_cookie_opened_stays_in_no_cache(pair):
    province, _ = pair
    browser, program = keeping(province, "bai-chay"), province.bearer("bai-chay")
    for path in ("/fhir/Patient?_format=json", f"{LIST}&_format=json"):
        shown = await province.http.get(path, headers=browser)
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        assert "cache-control" not in (await province.http.get(path, headers=program)).headers


async def test_an_address_that_is_no_page_says_so_to_a_browser_as_a_page(pair):
    province, _ = pair
    answer = await province.http.get("/session", headers=PAGE)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_first_page_shows_each_what_is_theirs(pair):
    province, _ = pair
    stranger = (await province.http.get("/")).text
    assert "Access token" in stranger
    own = (await province.http.get("/", headers=keeping(province, "bai-chay"))).text
    assert "/ingest/bai-chay" in own
    assert "/ingest/san-nhi" not in own
    assert "/ingest/san-nhi" in (await province.http.get("/", headers=keeping(province, "admin"))).text
    assert "/ingest/" not in (await province.http.get("/", headers=keeping(province, "doctor"))).text


async def test_a_refusal_is_a_page_for_a_browser_and_says_why(pair):
    province, _ = pair
    answer = await province.http.get("/ingest/san-nhi", headers=keeping(province, "bai-chay"))
    assert answer.status_code == 403
    assert "may not send messages of another hospital" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    fhir = await province.http.get("/fhir/Patient/none", headers=keeping(province, "bai-chay"))
    assert fhir.status_code == 404
    assert "html" not in fhir.headers["content-type"]
