"""Reading the file: what is accepted, what is refused, and where the refusal points."""

import base64
import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import vn_xml
from adapters.contract import Fate, Untranslatable
from adapters.reading import Reading
from adapters.vn_xml import parse

LAUGHS = (
    '<?xml version="1.0"?>\n<!DOCTYPE GIAMDINHHS [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>\n<GIAMDINHHS>&c;</GIAMDINHHS>'
)


def refusal(translate, body):
    with pytest.raises(Untranslatable) as caught:
        translate(body)
    return caught.value


def test_an_external_entity_is_refused_at_its_line(translate, fixtures):
    told = refusal(translate, (fixtures / "bad-external-entity" / "message.xml").read_bytes())

    assert told.where == "line 2: DOCTYPE"


def test_a_billion_laughs_are_refused_at_their_line(translate):
    assert refusal(translate, LAUGHS).where == "line 2: DOCTYPE"


def test_a_doctype_without_entities_is_refused_too(translate):
    assert "DOCTYPE" in refusal(translate, "<!DOCTYPE GIAMDINHHS><GIAMDINHHS/>").where


def test_a_doctype_behind_a_comment_is_found(translate):
    assert refusal(translate, "<!-- a -->\n<!doctype GIAMDINHHS>\n<GIAMDINHHS/>").where == "line 2: DOCTYPE"


def test_a_doctype_in_an_inner_file_names_its_place(translate, write, visit):
    bad = base64.b64encode(b"<!DOCTYPE TONG_HOP>\n<TONG_HOP/>").decode()
    body = write({"XML1": [visit]}, raw=True).replace("<TONG_HOP>", bad + "<!--").replace("</TONG_HOP>", "-->")
    told = refusal(translate, body)

    assert told.where == "HOSO[1]/FILEHOSO[1] (XML1): line 1: DOCTYPE"


def test_the_word_doctype_in_a_text_is_no_doctype(one, write, visit):
    visit["LY_DO_VV"] = "<!DOCTYPE"
    assert one(write({"XML1": [visit]}), "Encounter")["reasonCode"][0]["text"] == "<!DOCTYPE"


def test_a_truncated_file_is_answered_with_line_and_column(translate, fixtures):
    told = refusal(translate, (fixtures / "bad-truncated" / "message.xml").read_bytes())

    assert told.where.startswith("line 21, column ")
    assert "cut off" in told.reason


def test_a_truncated_inner_file_names_dossier_file_and_table(translate, write, visit):
    body = write({"XML1": [visit], "XML2": [{"MA_LK": "LK1"}]})
    cut = base64.b64encode(b"<CHITIEU_CHITIET_THUOC>\n<DSACH").decode()
    told = refusal(
        translate, body[: body.rindex("<NOIDUNGFILE>")] + f"<NOIDUNGFILE>{cut}" + body[body.rindex("</NOI") :]
    )

    assert told.where.startswith("HOSO[1]/FILEHOSO[2] (XML2): line 2, column ")


def test_a_refusal_never_quotes_the_record(translate, write, visit):
    body = write({"XML1": [{**visit, "HO_TEN": "CANARY"}]}, raw=True).replace("</HO_TEN>", "</HO_TENCANARY>")

    assert "CANARY" not in str(refusal(translate, body))


def test_content_that_is_neither_xml_nor_base64_is_refused(translate, write, visit):
    body = write({"XML1": [visit]})
    start, end = body.index("<NOIDUNGFILE>") + 13, body.index("</NOIDUNGFILE>")

    assert refusal(translate, body[:start] + "?!" + body[end:]).where == "HOSO[1]/FILEHOSO[1] (XML1)"


def test_elements_too_deep_are_refused(translate):
    assert "deeper" in refusal(translate, "<GIAMDINHHS>" + "<A>" * 40 + "</A>" * 40 + "</GIAMDINHHS>").reason


def test_elements_of_hostile_depth_are_refused(translate):
    assert refusal(translate, "<GIAMDINHHS>" + "<A>" * 100_000)


def test_a_file_over_the_limit_is_refused_before_it_is_parsed(monkeypatch, translate):
    monkeypatch.setattr(parse, "MAX_BYTES", 100)
    assert "larger than 100 bytes" in refusal(translate, "<GIAMDINHHS>" + " " * 100).reason


def test_another_kind_of_xml_is_refused(translate):
    assert refusal(translate, "<ClinicalDocument/>").where == "/ClinicalDocument"


def test_a_file_without_dossiers_is_refused(translate):
    assert refusal(translate, "<GIAMDINHHS/>").reason == "no HOSO in the file"


def test_an_empty_body_is_refused(translate):
    assert refusal(translate, b"").where.startswith("line ")


def test_a_dossier_without_its_key_is_refused(translate, write, visit):
    visit.pop("MA_LK")
    assert "MA_LK" in refusal(translate, write({"XML1": [visit]})).reason


def test_a_dossier_without_its_key_does_not_stop_the_next(translate, write, visit, of_type):
    keyless = {name: text for name, text in visit.items() if name != "MA_LK"}
    translation = translate(write({"XML1": [keyless]}, {"XML1": [visit]}))

    assert len(of_type(translation, "Encounter")) == 1
    assert any("no MA_LK" in notice.text for notice in translation.notices)


def test_several_dossiers_in_one_file_are_several_episodes(translate, write, visit, of_type):
    other = {**visit, "MA_LK": "LK2", "MA_BN": "BN2"}
    assert len(of_type(translate(write({"XML1": [visit]}, {"XML1": [other]})), "Patient")) == 2


def test_raw_inner_xml_and_base64_give_the_same_bundle(translate, write, visit):
    dossier = {"XML1": [visit]}
    assert translate(write(dossier)).bundle == translate(write(dossier, raw=True)).bundle


def test_inner_xml_in_cdata_gives_the_same_bundle(translate, write, visit):
    raw = write({"XML1": [visit]}, raw=True)
    wrapped = raw.replace("<TONG_HOP>", "<![CDATA[<TONG_HOP>").replace("</TONG_HOP>", "</TONG_HOP>]]>")

    assert translate(wrapped).bundle == translate(raw).bundle


def test_byte_order_marks_and_declarations_change_nothing(translate, write, visit):
    plain = write({"XML1": [visit]})
    start, end = plain.index("<NOIDUNGFILE>") + 13, plain.index("</NOIDUNGFILE>")
    content = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n' + base64.b64decode(plain[start:end])
    marked = plain[:start] + base64.encodebytes(content).decode() + plain[end:]

    assert translate(b"\xef\xbb\xbf" + marked.encode()).bundle == translate(plain).bundle


def test_fields_are_found_by_name_in_any_order(translate, write, visit):
    names = list(visit)
    random.Random(7).shuffle(names)

    assert (
        translate(write({"XML1": [{name: visit[name] for name in names}]})).bundle
        == translate(write({"XML1": [visit]})).bundle
    )


def test_a_missing_loaihoso_is_answered_by_the_inner_root(translate, write, visit, of_type):
    body = write({"XML1": [visit]}).replace("<LOAIHOSO>XML1</LOAIHOSO>", "")
    assert len(of_type(translate(body), "Patient")) == 1


def test_a_wrong_loaihoso_is_corrected_by_the_inner_root_and_told(translate, write, visit, of_type):
    translation = translate(write({"XML1": [visit]}).replace(">XML1<", ">XML5<"))

    assert len(of_type(translation, "Patient")) == 1
    assert any("inner root is that of XML1" in notice.text for notice in translation.notices)


def test_a_table_standing_alone_without_envelope_is_read(translate, of_type):
    body = "<CHI_TIEU_GIAYCHUYENTUYEN><MA_LK>LK1</MA_LK><MA_CSKCB_DEN>01T01</MA_CSKCB_DEN></CHI_TIEU_GIAYCHUYENTUYEN>"
    assert of_type(translate(body), "ServiceRequest")[0]["performer"][0]["identifier"]["value"] == "01T01"


def test_markup_that_a_writer_forgot_to_escape_keeps_its_words(one, write, visit):
    body = write({"XML1": [{**visit, "LY_DO_VV": "đau"}]}, raw=True).replace(">đau<", "><b>đau</b> đầu<")
    assert one(body, "Encounter")["reasonCode"][0]["text"] == "đau đầu"


def test_decomposed_letters_are_composed_at_the_border(one, write, visit):
    visit["HO_TEN"] = "NGUYỄN VĂN HÒA"
    assert one(write({"XML1": [visit]}), "Patient")["name"][0]["text"] == "NGUYỄN VĂN HÒA"


def test_a_field_that_stands_twice_is_counted_twice_and_read_once(translate, write, visit):
    body = write({"XML1": [visit]}, raw=True).replace("</MA_BN>", "</MA_BN><MA_BN>BN9</MA_BN><MA_BN>BN8</MA_BN>")
    places = {account.place.rpartition("/")[2]: account.fate for account in translate(body).ledger}

    assert (places["MA_BN"], places["MA_BN[2]"], places["MA_BN[3]"]) == ("mapped", "unmapped", "unmapped")


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300) | st.text(string.printable, max_size=300).map(str.encode))
def test_no_bytes_crash_the_reader(body):
    with pytest.raises(Untranslatable) as refused:
        parse.read_dossiers(b"<GIAMDINHHS>" + body, Reading())

    assert refused.value.where


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(min_value=1, max_value=100_000))
def test_no_truncation_crashes_the_adapter(cut, translate, fixtures):
    body = (fixtures / "referral-4750" / "message.xml").read_bytes()
    with pytest.raises(Untranslatable):
        translate(body[: cut % (len(body) - 20)])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_the_format_is_recognised_in_any_encoding(encoding):
    assert vn_xml.recognises('<?xml version="1.0"?>\n<GIAMDINHHS>'.encode(encoding))


def test_other_xml_is_not_recognised():
    assert not vn_xml.recognises(b'<ClinicalDocument xmlns="urn:hl7-org:v3">')


def accounts(translation):
    return {account.place.rpartition("/")[2]: account for account in translation.ledger}


def test_the_signature_of_a_check_in_is_one_field_that_is_left_out(translate):
    row = "<TRANG_THAI_KCB><MA_LK>L1</MA_LK><HO_TEN>THỬ</HO_TEN></TRANG_THAI_KCB>"
    signature = "<CHUKYDONVI><Signature><SignatureValue>AA</SignatureValue></Signature></CHUKYDONVI>"
    list_ = f"<DSACH_TRANG_THAI_KCB>{row}</DSACH_TRANG_THAI_KCB>"
    translation = translate(f"<CHI_TIEU_TRANG_THAI_KCB>{list_}{signature}</CHI_TIEU_TRANG_THAI_KCB>")

    assert accounts(translation)["CHUKYDONVI"].fate is Fate.IGNORED
    assert "SignatureValue" not in accounts(translation)


@pytest.mark.parametrize("begin", ["<GIAMDINHHS>", "<TONG_HOP>"])
def test_names_that_are_not_in_capitals_are_read_and_told(translate, write, visit, begin):
    body = write({"XML1": [visit]}, raw=True)
    end = body.index(begin.replace("<", "</")) + len(begin) + 1
    low = re.sub(r"</?\w+", lambda tag: tag[0].lower(), body[body.index(begin) : end])
    translation = translate(body[: body.index(begin)] + low + body[end:])

    assert accounts(translation)["HO_TEN"].fate is Fate.MAPPED
    assert any("capitals" in notice.text for notice in translation.notices)


@pytest.mark.parametrize(("away", "letters"), [("", "+/"), ("=", "+/"), ("=", "-_")])
def test_base64_is_read_without_padding_and_in_the_letters_of_addresses(translate, visit, away, letters):
    written = (f"<TONG_HOP><MA_LK>{'>?' * n}LK1</MA_LK></TONG_HOP>".replace(">?", "ạ?ạ>") for n in range(1, 40))
    texts = (base64.b64encode(text.encode()).decode() for text in written)
    text = next(text for text in texts if {"+", "/", "="} <= set(text)).rstrip(away)
    content = text.translate(str.maketrans("+/", letters))
    file = f"<FILEHOSO><LOAIHOSO>XML1</LOAIHOSO><NOIDUNGFILE>{content}</NOIDUNGFILE></FILEHOSO>"
    translation = translate(
        f"<GIAMDINHHS><THONGTINHOSO><DANHSACHHOSO><HOSO>{file}</HOSO></DANHSACHHOSO></THONGTINHOSO></GIAMDINHHS>"
    )

    assert accounts(translation)["MA_LK"].fate is Fate.MAPPED


@pytest.mark.parametrize("stated", ["2", "abc", "0"])
def test_a_count_that_is_not_the_files_is_told(translate, write, visit, stated):
    body = write({"XML1": [visit]}).replace("<DANHSACHHOSO>", f"<SOLUONGHOSO>{stated}</SOLUONGHOSO><DANHSACHHOSO>")

    assert [notice.where for notice in translate(body).notices if "the file has 1" in notice.text] == [
        "/GIAMDINHHS/THONGTINHOSO/SOLUONGHOSO"
    ]
