"""Hostile and broken XML is refused with a place; what is read keeps its letters composed."""

import gc

import pytest

from adapters.cda.parse import MAX_BYTES, parse, safe_parse
from adapters.contract import Untranslatable

BOMB = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b'<?xml version="1.0"?>\n<!-- c -->\n<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
        b'<!doctype a><a xmlns="urn:hl7-org:v3"/>',
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"),
    ],
)
def test_a_document_type_declaration_is_refused(body):
    with pytest.raises(Untranslatable) as refusal:
        safe_parse(body)

    assert refusal.value.where.startswith("line ")


def test_the_place_of_a_declaration_is_its_own_line():
    with pytest.raises(Untranslatable) as refusal:
        safe_parse(b'<?xml version="1.0"?>\n<!-- two\nlines -->\n  <!DOCTYPE a><a/>')

    assert refusal.value.where == "line 4, column 3"


def test_an_undefined_entity_is_refused():
    with pytest.raises(Untranslatable):
        safe_parse(b"<a>&thu;</a>")


@pytest.mark.parametrize("body", [b"", b"  ", b"<", b"not xml", b"<a>", b"<a></b>", b"\xff\xfe\x00", b"<a b=1/>"])
def test_what_is_not_xml_is_refused_with_line_and_column(body):
    with pytest.raises(Untranslatable) as refusal:
        safe_parse(body)

    assert "column" in refusal.value.where


def test_a_refusal_does_not_repeat_the_document():
    with pytest.raises(Untranslatable) as refusal:
        safe_parse("<a><name>TRẦN THỊ THỬ</name><b c='SN0002'</a>".encode())

    assert "SN0002" not in str(refusal.value)
    assert "TRẦN" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_elements_nested_without_end_are_refused():
    with pytest.raises(Untranslatable):
        parse(b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a>" * 210 + b"</a>" * 210 + b"</ClinicalDocument>")
    with pytest.raises(Untranslatable):
        safe_parse(b"<a>" * 100_000)


def test_a_document_of_more_than_the_limit_is_refused_unread():
    with pytest.raises(Untranslatable, match="larger"):
        safe_parse(b"<" * (MAX_BYTES + 1))


@pytest.mark.parametrize("body", [b"<a/>", b'<ClinicalDocument xmlns="urn:x"/>', b"<ClinicalDocument/>"])
def test_another_root_is_refused(body):
    with pytest.raises(Untranslatable, match="ClinicalDocument"):
        parse(body)


def test_a_document_without_a_patient_is_refused(translate):
    with pytest.raises(Untranslatable) as refusal:
        translate('<ClinicalDocument xmlns="urn:hl7-org:v3"><title>x</title></ClinicalDocument>')

    assert refusal.value.where == "/ClinicalDocument/recordTarget"


def test_letters_are_composed_at_the_border(document, translate, made):
    name = "TR\u0041\u0302\u0300N  THI\u0323\n THU\u031b\u0309"
    role = f'<id root="1.2" extension="1"/><patient><name>{name}</name></patient>'
    patient = made(translate(document(role=role)), "Patient")[0]

    assert patient["name"][0]["text"] == "TRẦN THỊ THỬ"


def test_a_prefix_for_the_namespace_changes_nothing(fixtures, translate):
    plain = (fixtures / "nullflavors" / "message.xml").read_text(encoding="utf-8")
    prefixed = plain.replace('xmlns="urn:hl7-org:v3"', 'xmlns:v="urn:hl7-org:v3"')
    prefixed = prefixed.replace("<", "<v:").replace("<v:/", "</v:").replace("<v:?", "<?").replace("v:sdtc:", "sdtc:")

    assert translate(prefixed) == translate(plain)


def test_a_translated_document_leaves_no_circles_to_the_garbage_collector(case):
    case("mother-discharge")
    gc.collect()
    gc.disable()
    try:
        case("mother-discharge")
        assert gc.collect() == 0
    finally:
        gc.enable()
