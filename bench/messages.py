"""As many different messages as a measurement needs, each a fixture with people, visits and orders of its own."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures"
ORU_SEGMENTS = 30
DOCUMENT_BYTES = 100_000

_INNER = re.compile(r"(<NOIDUNGFILE>)(.*?)(</NOIDUNGFILE>)", re.DOTALL)
_FILE = re.compile(r"\s*<FILEHOSO>.*?</FILEHOSO>", re.DOTALL)
_ROW = re.compile(r"<(CHI_TIET_CLS|CHI_TIET_THUOC|CHI_TIET_DVKT|CHI_TIET_DIEN_BIEN_BENH)>.*?</\1>", re.DOTALL)
_ENTRY_ID = re.compile(r'(root="2\.16\.840\.1\.113883\.19\.22\.3\.4\.1" extension="[^"]+)"')
_SECTION = re.compile(r"<component>\s*<section>.*?</section>\s*</component>", re.DOTALL)
_FAMILIES = ("NGUYỄN", "TRẦN", "LÊ", "PHẠM", "HOÀNG", "VŨ", "ĐẶNG", "BÙI", "ĐỖ", "NGÔ")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message: who sends it, its media type, and the maker of its n-th example."""

    name: str
    hospital: str
    media_type: str
    make: Callable[[int], bytes]


def admission(number: int) -> bytes:
    """An ADT^A01 of its own person and visit."""
    return _person_of_general(_segments("admission-a01"), number)


def laboratory(number: int) -> bytes:
    """An ORU^R01 of 30 segments: the fixture's own, then numeric results until there are enough."""
    rows = _segments("laboratory-oru").rstrip("\r").split("\r")
    result = next(row for row in rows if row.startswith("OBX|1|"))
    place = max(i for i, row in enumerate(rows) if row.startswith("OBX|")) + 1
    last = max(int(row.split("|")[1]) for row in rows if row.startswith("OBX|"))
    more = range(last + 1, last + 1 + ORU_SEGMENTS - len(rows))
    added = [result.replace("OBX|1|", f"OBX|{n}|").replace("GLU^Glucose", f"GLU{n}^Glucose {n}") for n in more]
    return _person_of_general("\r".join([*rows[:place], *added, *rows[place:], ""]), number)


def episode(number: int) -> bytes:
    """An episode of the national file with 64 rows of medicines, services, results and notes, without a referral."""
    files = [file for file in _FILE.findall(_national()) if "<LOAIHOSO>XML13<" not in file]
    return _person_of_bai_chay(_with_files(files), number)


def referral(number: int) -> bytes:
    """The same episode with its transfer paper (XML13): opens a case, builds and signs a document."""
    return _person_of_bai_chay(_national(), number)


def discharge(number: int) -> bytes:
    """A CDA discharge summary of about 100 kB: the fixture's sections again and again, each with entries of its own."""
    head, sections, tail = _document()
    copies, size, copy = [], len(head.encode()) + len(tail.encode()), 0
    while size < DOCUMENT_BYTES:
        section = _ENTRY_ID.sub(rf'\1-{number}-{copy}"', sections[copy % len(sections)])
        section = re.sub(r'(ID="|value="#)(\w)', rf"\g<1>s{copy}\2", section)
        copies.append(section)
        size += len(section.encode())
        copy += 1
    text = head + "".join(copies) + tail
    text = text.replace("SN0002", f"SN{number:07d}").replace("SN-RV-0002", f"SN-RV-{number:07d}")
    text = text.replace("SN-VV-0002", f"SN-VV-{number:07d}").replace("GD4229999900002", insurance_number(3, number))
    text = text.replace("022994009002", citizen_number(3, number)).replace("TRẦN THỊ THỬ", full_name(number))
    return text.replace('birthTime value="19940702"', f'birthTime value="{birth_date(number)}"').encode()


KINDS = (
    Kind("hl7v2-adt", "qn-general", "application/hl7-v2", admission),
    Kind("hl7v2-oru", "qn-general", "application/hl7-v2", laboratory),
    Kind("vn_xml", "bai-chay", "application/xml", episode),
    Kind("vn_xml-referral", "bai-chay", "application/xml", referral),
    Kind("cda", "san-nhi", "application/hl7-cda+xml", discharge),
)


def full_name(number: int) -> str:
    """A name hardly shared: namesakes would make a measurement of the linking of people out of every other one."""
    return f"{_FAMILIES[number % 10]} {_spelt(number // 10)} THỬ"


def birth_date(number: int) -> str:
    """yyyymmdd."""
    return f"{1940 + number % 71}{1 + number % 12:02d}{1 + number % 28:02d}"


def citizen_number(hospital: int, number: int) -> str:
    """Twelve digits of a person who is in one hospital only."""
    return f"0{hospital}{number:010d}"


def insurance_number(hospital: int, number: int) -> str:
    """Fifteen characters."""
    return f"GD{hospital}{number:012d}"


def rows_of(message: bytes) -> int:
    """The rows of an episode's inner files."""
    inner = (base64.b64decode(found[2]).decode("utf-8-sig") for found in _INNER.finditer(message.decode("utf-8-sig")))
    return sum(len(_ROW.findall(text)) for text in inner)


def _spelt(number: int) -> str:
    letters = "ABCDEGHIKLMNOPQRSTUVXY"
    text = ""
    while number or not text:
        number, rest = divmod(number, len(letters))
        text = letters[rest] + text
    return text


@cache
def _segments(name: str) -> str:
    text = (FIXTURES / "hl7v2" / name / "message.hl7").read_text(encoding="utf-8")
    return "\r".join(row for row in re.split(r"[\r\n]+", text) if row) + "\r"


def _person_of_general(text: str, number: int) -> bytes:
    family, given, last = full_name(number).split(" ")
    changes = {
        "QN-00000": f"QN-{number:07d}-",
        "QN0001": f"QN{number:07d}",
        "VN2026-0001": f"VN-{number:07d}",
        "CD-1102-01": f"CD-{number:07d}",
        "XN-1102-01": f"XN-{number:07d}",
        "022861009001": citizen_number(1, number),
        "GD4229999900001": insurance_number(1, number),
        "NGUYỄN^HOÀ^VĂN": f"{family}^{last}^{given}",
        "|19610314|": f"|{birth_date(number)}|",
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    return text.encode()


@cache
def _national() -> str:
    return (FIXTURES / "vn_xml" / "episode-3176" / "message.xml").read_text(encoding="utf-8-sig")


def _with_files(files: list[str]) -> str:
    text = _national()
    return text.replace("".join(_FILE.findall(text)), "".join(files))


def _person_of_bai_chay(text: str, number: int) -> bytes:
    changes = {
        "BC.2026.000101": f"BC.{number:09d}",
        "BC0001": f"BC{number:07d}",
        "BC.HS.26.000101": f"BC.HS.{number:07d}",
        "15/PCCSKBCB": f"{number}/PCCSKBCB",
        "022861009001": citizen_number(2, number),
        "GD4229999900001": insurance_number(2, number),
        "NGUYỄN VĂN HÒA": full_name(number),
        "196103140000": f"{birth_date(number)}0000",
    }

    def varied(inner: str) -> str:
        for old, new in changes.items():
            inner = inner.replace(old, new)
        return inner

    return _rewritten(text, varied).encode()


def _rewritten(text: str, change: Callable[[str], str]) -> str:
    """Every inner file of a national file, changed."""

    def one(found: re.Match[str]) -> str:
        inner = change(base64.b64decode(found[2]).decode("utf-8-sig"))
        return found[1] + base64.b64encode(inner.encode()).decode() + found[3]

    return _INNER.sub(one, text)


@cache
def _document() -> tuple[str, list[str], str]:
    text = (FIXTURES / "cda" / "mother-discharge" / "message.xml").read_text(encoding="utf-8")
    sections = list(_SECTION.finditer(text))
    return text[: sections[0].start()], [found[0] for found in sections], text[sections[-1].end() :]
