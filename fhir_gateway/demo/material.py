"""The messages of the story: synthetic fixtures as they stand, and variations of them for the crash."""

import base64
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PLACES = (PACKAGE.parent / "fixtures", PACKAGE / "demo" / "fixtures")


def fixture(path: str) -> bytes:
    """A fixture's bytes, from the checkout or from the installed package."""
    for place in PLACES:
        if (place / path).exists():
            return (place / path).read_bytes()
    raise FileNotFoundError(path)


def admission(number: int) -> bytes:
    """An admission of a person of its own: message control id, patient number, visit and identifiers are new."""
    text = fixture("hl7v2/admission-a01/message.hl7").decode().replace("\r\n", "\r").replace("\n", "\r")
    rows = text.split("\r")
    return "\r".join(_varied(row.split("|"), number) for row in rows).encode()


def _varied(fields: list[str], number: int) -> str:
    if fields[0] == "MSH":
        fields[9] = f"CRASH{number:05d}"
    if fields[0] == "PID":
        fields[3] = re.sub(r"^[^~^]*", f"QNX{number:05d}", fields[3].split("~")[0])
        fields[5] = f"NGƯỜI^{number}^THỬ"
    if fields[0] == "PV1" and len(fields) > 19:
        fields[19] = re.sub(r"^[^~^]*", f"VX{number:05d}", fields[19])
    return "|".join(fields) if fields[0] in ("MSH", "EVN", "PID", "PV1") else ""


def episode(number: int) -> bytes:
    """A referral episode of its own: the 3176 file with another MA_LK, patient number and identifiers."""
    text = fixture("vn_xml/episode-3176/message.xml").decode("utf-8-sig")

    def varied(found: re.Match[str]) -> str:
        inner = base64.b64decode(found[2]).decode("utf-8-sig")
        for element, value in _replaced(number).items():
            inner = re.sub(rf"<{element}>.*?</{element}>", f"<{element}>{value}</{element}>", inner, flags=re.DOTALL)
        return found[1] + base64.b64encode(inner.encode()).decode() + found[3]

    return re.sub(r"(<NOIDUNGFILE>)(.*?)(</NOIDUNGFILE>)", varied, text, flags=re.DOTALL).encode()


def _replaced(number: int) -> dict[str, str]:
    return {
        "MA_LK": f"CRASH.{number:04d}",
        "MA_BN": f"BCX{number:04d}",
        "SO_CCCD": "",
        "MA_THE_BHYT": "",
        "HO_TEN": f"NGƯỜI THỬ {number}",
        "GIAY_CHUYEN_TUYEN": f"{number}/PCCSKBCB",
        "SO_CHUYENTUYEN": str(number),
    }
