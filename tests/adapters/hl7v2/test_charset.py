"""Legacy Vietnamese encodings are seen; real Vietnamese and common signs are not taken for them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Untranslatable
from adapters.hl7v2 import charset
from adapters.hl7v2.charset import codec_of, legacy_marks

VIETNAMESE = [
    "Nguyễn Văn Hoà, Đặng Thị Thuỷ, Lý Quốc Sư, Huỳnh Ngọc Diễm",
    "HUYỆN VÂN ĐỒN, XÃ ĐÔNG XÁ, THÔN QUYẾT THẮNG",
    "Bệnh nhân tỉnh, tiếp xúc tốt, mạch 92 lần/phút, huyết áp 150/90 mmHg, đau thượng vị, sốt 38,5 °C",
    "Glucose 7,2 mmol/L; creatinin 98 µmol/L; bạch cầu 10,2 ×10⁹/L; Roche® c501; diện tích 1,73 m²",
    "ý kiến, quỳ gối, tuýp, loét, khuỷu, ngoằn ngoèo, chuếnh choáng, uống, khoẻ",
]


@pytest.mark.parametrize("text", VIETNAMESE)
def test_unicode_vietnamese_is_not_suspected(text: str) -> None:
    assert legacy_marks(text) == 0


@pytest.mark.parametrize(
    "text", ["NguyÔn V¨n A", "TrÇn ThÞ Hoµ", "Nguyeãn Vaên Hoaø", "Nguyá»…n VÄƒn HoÃ ", "®­êng huyÕt"]
)
def test_legacy_text_is_suspected(text: str) -> None:
    assert legacy_marks(text) >= 2


# The letters that the marks are made of, and the most frequent ones around them.
LETTERS = st.sampled_from([*map(chr, range(0x80, 0x100)), *"abceouyAEOUmnNT \n‘’ƒ„Œăđơư", *"®áÄÃÆ" * 4])


@settings(deadline=None, max_examples=500)
@given(st.lists(LETTERS, max_size=8).map("".join))
def test_the_quick_look_misses_no_mark(text: str) -> None:
    assert legacy_marks(text) == sum(len(marks.findall(text)) for marks in charset._MARKS)


@pytest.mark.parametrize(
    ("declared", "body", "codec"),
    [
        ("", b"x", "ascii"),
        ("", "ạ".encode(), "utf-8"),
        ("ASCII", "ạ".encode(), "utf-8"),
        ("UNICODE UTF-8", b"x", "utf-8"),
        ("8859/1", b"x", "iso8859-1"),
        ("windows-1258", b"x", "cp1258"),
    ],
)
def test_msh_18_chooses_the_codec(declared: str, body: bytes, codec: str) -> None:
    assert codec_of(declared, body) == codec


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(Untranslatable):
        codec_of("TIS-620", b"x")
