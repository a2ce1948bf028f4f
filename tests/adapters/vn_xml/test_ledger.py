"""The ledger adds up: whatever fields a file has, each stands in it once, with one fate."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator

from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.contract import Fate
from adapters.vn_xml.fields import FIELDS
from fhir_gateway.fhir.validation import validate

TABLES = ("XML1", "XML2", "XML3", "XML4", "XML5", "XML7", "XML8", "XML9", "XML13", "XML14", "XML0", "XML6", "XML15")
DATES = ("202611200805", "20261120", "197000000000", "99999999")
NUMBERS = (
    "0",
    "1",
    "2",
    "18",
    "5,4",
    "<0,3",
    "TE1220000000303",
    "022994009002",
    "0000000000",
    "1.9",
    "GPHN(1);X.HD.22T01",
)
WORDS = (" ", "Âm tính", "I21.0;I10", "B20", "a;;b", "Đau ngực", "<b>&amp;</b>", "CSST<M7_HA1/2>")
TEXTS = st.sampled_from((*DATES, *NUMBERS, *WORDS))


@st.composite
def rows(draw: st.DrawFn, table: str) -> dict[str, str]:
    names = draw(st.lists(st.sampled_from([*FIELDS[table], "LA_LUNG", "MOI_THEM"]), unique=True, max_size=14))
    return {"MA_LK": "LK1", **{name: draw(TEXTS) for name in names if name != "MA_LK"}}


@st.composite
def dossiers(draw: st.DrawFn) -> dict[str, list[dict[str, str]]]:
    tables = draw(st.lists(st.sampled_from(TABLES), unique=True, min_size=1, max_size=6))
    single = {"XML1", "XML7", "XML8", "XML13", "XML14"}
    return {table: draw(st.lists(rows(table), min_size=1, max_size=1 if table in single else 3)) for table in tables}


@settings(deadline=None, max_examples=60)
@given(dossier=dossiers())
def test_mapped_ignored_and_unmapped_add_up_to_the_fields_of_the_file(dossier, translate, write):
    ledger = translate(write(dossier)).ledger
    filled = sum(bool(text.strip()) for rows in dossier.values() for row in rows for text in row.values())
    envelope = 1 + len(dossier)  # MACSKCB, and LOAIHOSO of each inner file

    assert len(ledger) == filled + envelope
    assert len({account.place for account in ledger}) == len(ledger)


@settings(deadline=None, max_examples=20)
@given(dossier=dossiers())
def test_any_mixture_of_fields_gives_the_same_bundle_twice(dossier, translate, write):
    body = write(dossier)
    assert translate(body) == translate(body)


@settings(deadline=None, max_examples=40)
@given(dossier=dossiers())
def test_any_mixture_of_fields_gives_valid_resources_whose_links_are_answered(dossier, translate, write):
    translation = translate(write(dossier))
    entries = translation.bundle.get("entry", [])
    for entry in entries:
        get_fhir_model_class(entry["resource"]["resourceType"]).model_validate(entry["resource"])
    assert validate(translation.bundle) == ()

    known = {entry["fullUrl"] for entry in entries}
    assert set(re.findall(r"urn:uuid:[0-9a-f-]{36}", str(translation.bundle))) <= known
    made = {entry["request"]["url"] for entry in entries}
    assert {t.partition("#")[0] for account in translation.ledger for t in account.targets} <= made


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_rows_and_fields_removed_from_a_real_episode_still_add_up(data, translate, fixtures):
    root = etree.parse(fixtures / "episode-3176" / "message.xml").getroot()
    drop = data.draw(st.sets(st.integers(0, 3000), max_size=400))
    left = _thin_out(root, drop)

    assert len(translate(etree.tostring(root)).ledger) == left


def _thin_out(root: etree._Element, drop: set[int]) -> int:
    """Remove the numbered leaves but the keys; returns how many filled fields remain in file and envelope."""
    left, number = 4 - 1, 0  # MACSKCB, NGAYLAP, SOLUONGHOSO; the signature is empty
    for file in root.iter("FILEHOSO"):
        content = file.find("NOIDUNGFILE")
        inner = etree.fromstring(_decoded(content.text))
        for leaf in list(_leaves(inner)):
            number += 1
            if number in drop and leaf.tag not in ("MA_LK", "NGAY_RA", "NGAY_VAO", "MA_NHOM"):
                leaf.getparent().remove(leaf)
            else:
                left += bool((leaf.text or "").strip())
        content.text = b64encode(etree.tostring(inner, encoding="utf-8")).decode()
        left += 1
    return left


def _leaves(root: etree._Element) -> Iterator[etree._Element]:
    return (element for element in root.iter() if not len(element))


def _decoded(text: str) -> bytes:
    return b64decode(text)


def test_an_unknown_element_is_listed_as_unmapped(fate, write, visit):
    assert fate(write({"XML1": [{**visit, "TRUONG_MOI": "x"}]}), "/XML1/TRUONG_MOI").fate is Fate.UNMAPPED


def test_an_unknown_table_is_listed_field_by_field(translate, write, visit):
    body = write({"XML1": [visit]}).replace("</HOSO>", _file("XML99", "<LA><CHI_TIET><A>1</A><B/></CHI_TIET></LA>"), 1)
    places = {account.place: account.fate for account in translate(body).ledger}

    assert [fate for place, fate in places.items() if place.endswith("/XML99/CHI_TIET[1]/A")] == [Fate.UNMAPPED]


def _file(table: str, text: str) -> str:
    content = b64encode(text.encode()).decode()
    return f"<FILEHOSO><LOAIHOSO>{table}</LOAIHOSO><NOIDUNGFILE>{content}</NOIDUNGFILE></FILEHOSO></HOSO>"


def test_places_are_the_path_to_the_field(translate, fixtures):
    places = [account.place for account in translate((fixtures / "episode-3176" / "message.xml").read_bytes()).ledger]
    base = "/GIAMDINHHS/THONGTINHOSO/DANHSACHHOSO/HOSO[1]"

    assert f"{base}/FILEHOSO[1]/XML1/HO_TEN" in places
    assert f"{base}/FILEHOSO[2]/XML2/CHI_TIET_THUOC[3]/TEN_THUOC" in places


def test_billing_is_ignored_by_name_with_its_reason(fate, write, visit):
    told = fate(write({"XML1": [{**visit, "T_TONGCHI_BV": "1000.00"}]}), "/T_TONGCHI_BV")

    assert told.fate is Fate.IGNORED
    assert told.reason.startswith("billing")


def test_the_hiv_table_is_accounted_for_in_a_resource_of_its_own(fate, write, visit):
    told = fate(write({"XML1": [visit], "XML6": [{"MA_LK": "LK1", "NGAYKD_HIV": "20200101"}]}), "/NGAYKD_HIV")

    assert told.fate is Fate.MAPPED
    assert all(target.startswith("Observation/") for target in told.targets)
