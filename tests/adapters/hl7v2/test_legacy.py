"""TCVN3 and VNI: told apart with a margin, converted where the hospital's file says so, refused elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters import hl7v2
from adapters.contract import Hospital, Message, Translation, Untranslatable
from adapters.hl7v2.codes import rows
from adapters.hl7v2.legacy import KINDS, converted, kind_of

NAMES = {
    "TCVN3": {
        "NguyÔn V¨n Hoµ": "Nguyễn Văn Hoà",
        "TRÇN THÞ HOµ": "TRẦN THỊ HOÀ",
        "®­êng huyÕt": "đường huyết",
        "Phè Quang Trung, ph­êng Hång Gai": "Phố Quang Trung, phường Hồng Gai",
    },
    "VNI": {
        "Nguyeãn Vaên Hoaø": "Nguyễn Văn Hoà",
        "BEÄNH VIEÄN ÑA KHOA TÆNH": "BỆNH VIỆN ĐA KHOA TỈNH",
        "ÑÖÔØNG TRAÀN HÖNG ÑAÏO": "ĐƯỜNG TRẦN HƯNG ĐẠO",
        "Lyù Thöôøng Kieät, phöôøng Baõi Chaùy": "Lý Thường Kiệt, phường Bãi Cháy",
    },
}
CASES = [(kind, sent, meant) for kind, texts in NAMES.items() for sent, meant in texts.items()]
LINE = "MSH|^~\\&|HIS|22T01|||20261102083012||ADT^A04|1|P|2.5.1|||||VNM|{charset}\r"


@pytest.mark.parametrize(("kind", "sent", "meant"), CASES)
def test_a_text_of_a_font_becomes_unicode(kind: str, sent: str, meant: str) -> None:
    assert converted(sent, kind) == meant


@pytest.mark.parametrize(("kind", "sent", "meant"), [case for case in CASES if len(case[1].split()) > 2])
def test_the_two_fonts_are_told_apart(kind: str, sent: str, meant: str) -> None:
    assert kind_of([sent]) == kind
    assert kind_of([meant]) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["µmol/L", "mmol/L", "Nguyễn Văn Hoà", "Cr 98"])
def test_units_and_unicode_are_no_text_of_a_font(kind: str, text: str) -> None:
    assert converted(text, kind) == text


@pytest.mark.parametrize(("kind", "letters"), [("tcvn3", 74), ("vni", 195)])
def test_a_table_names_every_sign_once(kind: str, letters: int) -> None:
    assert len({row["source"] for row in rows(kind)}) == len(rows(kind)) == letters


def ingest(hospital: Hospital, legacy: str, charset: str, name: str, codec: str = "iso8859-1") -> Translation:
    body = (LINE.format(charset=charset) + f"PID|1||QN0007^^^22T01^MR||{name}||1961|M\r").encode(codec)
    sender = replace(hospital, quirks={"legacy_text": legacy} if legacy else {})
    return hl7v2.translate(Message(sender, "application/hl7-v2", body, datetime(2026, 11, 2, tzinfo=UTC)))


def patient_name(translation: Translation) -> str:
    patients = [e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
    return str(patients[0]["name"][0]["text"])


@pytest.mark.parametrize("charset", ["", "8859/1", "ASCII", "TCVN3"])
@pytest.mark.parametrize("codec", ["iso8859-1", "utf-8"])
def test_the_hospital_file_says_that_its_texts_are_of_a_font(hospital: Hospital, charset: str, codec: str) -> None:
    if charset == "8859/1" and codec == "utf-8":
        pytest.skip("declared as what it is not")
    assert patient_name(ingest(hospital, "TCVN3", charset, "NguyÔn^Hoµ^V¨n", codec)) == "Nguyễn Văn Hoà"


def test_a_hospital_that_has_begun_to_send_unicode_is_read_as_it_sends(hospital: Hospital) -> None:
    assert patient_name(ingest(hospital, "VNI", "UNICODE UTF-8", "Đỗ^Hoà^Văn", "utf-8")) == "Đỗ Văn Hoà"


@pytest.mark.parametrize(
    ("charset", "name", "kind"), [("8859/1", "NguyÔn^Hoµ^V¨n", "TCVN3"), ("", "Nguyeãn^Hoaø^Vaên", "VNI")]
)
def test_without_the_setting_the_message_is_refused_and_the_setting_named(
    hospital: Hospital, charset: str, name: str, kind: str
) -> None:
    with pytest.raises(Untranslatable) as refused:
        ingest(hospital, "", charset, name, "iso8859-1" if charset else "utf-8")

    assert refused.value.where == "PID[1]-5[1].1"
    assert f'legacy_text = "{kind}"' in refused.value.reason


def test_a_declared_font_without_the_setting_is_refused_at_msh_18(hospital: Hospital) -> None:
    with pytest.raises(Untranslatable) as refused:
        ingest(hospital, "", "TCVN3", "NguyÔn^Hoµ^V¨n")

    assert (refused.value.where, "legacy_text" in refused.value.reason) == ("MSH-18", True)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_read_and_its_places_are_those_of_the_bytes(
    translate: Callable[[bytes], Translation], codec: str
) -> None:
    text = LINE.format(charset="UNICODE UTF-16") + "PID|1||QN0007^^^22T01^MR||Đỗ^Hoà^Văn||1961|M\r"
    body = text.encode(codec)
    translation = translate(body)

    assert hl7v2.recognises(body)
    assert patient_name(translation) == "Đỗ Văn Hoà"
    [place] = [account for account in translation.ledger if account.place == "PID[1]-5[1].2"]
    assert place.offset is not None
    plain = codec if codec != "utf-16" else "utf-16-le"
    assert body[place.offset : place.offset + 6].decode(plain) == "Hoà"


def test_of_several_sets_the_first_that_fits_is_read(hospital: Hospital) -> None:
    assert patient_name(ingest(hospital, "", "UNICODE UTF-8~8859/1", "Müller^An", "iso8859-1")) == "Müller An"
    assert patient_name(ingest(hospital, "", "ASCII~UNICODE UTF-8", "Đỗ^An", "utf-8")) == "Đỗ An"


@pytest.mark.parametrize("name", ["Noël^Raphaël", "Chloë^Zoë^Joël"])
def test_foreign_names_in_latin_1_are_no_text_of_a_font(hospital: Hospital, name: str) -> None:
    translation = ingest(hospital, "", "8859/1", name)

    assert patient_name(translation).split()[0] == name.split("^", maxsplit=1)[0]
    assert "the text may be in a legacy Vietnamese encoding" in {notice.text for notice in translation.notices}
