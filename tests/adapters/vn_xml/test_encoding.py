"""UTF-8 or nothing: legacy fonts are told apart from Vietnamese, French and units of measure."""

import pytest

from adapters.contract import Untranslatable
from adapters.vn_xml.encoding import looks_legacy, utf8


@pytest.mark.parametrize(
    "text",
    [
        "NguyÔn V¨n A, Ph­êng B·i Ch¸y, tØnh Qu¶ng Ninh",
        "NguyÔn V¨n A",
        "Viªm häng cÊp, §¸i th¸o ®­êng",
        "Nguyeãn Vaên A, Traàn Thò Thöû, Leâ Hoaøng",
        "Phöôøng Baõi Chaùy, tænh Quaûng Ninh",
    ],
)
def test_a_legacy_font_is_seen(text):
    assert looks_legacy([text])


@pytest.mark.parametrize(
    "text",
    [
        "Nguyễn Văn Hòa, Nguyễn Văn Hoà, Thuý, Quý, Xuân, Hoàng Đức Toàn",
        "Creatinin 96 µmol/L; T° 37,8 < 38; 5 ± 0,3; ½ viên; «không»",
        "hoà hoả hoã hoá uý uỷ uâ oá oà thuở quở",
        "TRẦN THỊ THỬ",
        "Müller Jürgen, François Noël",
        "½viên sáng, 1½viên tối",
        "no accents at all",
        "",
    ],
)
def test_unicode_text_is_not_taken_for_a_legacy_font(text):
    assert not looks_legacy([text])


def test_a_tcvn3_file_is_refused_at_its_dossier(translate, fixtures):
    with pytest.raises(Untranslatable) as refused:
        translate((fixtures / "bad-tcvn3" / "message.xml").read_bytes())

    assert refused.value.where.endswith("HOSO[1]")
    assert "TCVN3" in refused.value.reason


def test_bytes_that_are_not_utf8_are_refused_with_line_and_column():
    with pytest.raises(Untranslatable) as refused:
        utf8(b"<A>\n<B>\xe0\xe1</B></A>")

    assert refused.value.where == "line 2, column 4"


@pytest.mark.parametrize("name", ["windows-1258", "iso-8859-1", "TCVN-5712"])
def test_a_declared_legacy_encoding_is_refused_at_line_one(name):
    with pytest.raises(Untranslatable) as refused:
        utf8(f'<?xml version="1.0" encoding="{name}"?><A/>'.encode())

    assert refused.value.where == "line 1: encoding"


def test_utf16_bytes_are_refused():
    with pytest.raises(Untranslatable, match="UTF-16"):
        utf8("<A/>".encode("utf-16"))


def test_a_declaration_of_utf16_over_utf8_bytes_is_forgiven():
    assert utf8(b'<?xml version="1.0" encoding="utf-16"?><A/>').strip() == b"<A/>"
