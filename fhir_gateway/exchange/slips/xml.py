"""A slip as a national file: the envelope GIAMDINHHS with one table, as the hospital systems send it.

Unsigned: the signature of a facility is its own to make.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from xml.sax.saxutils import escape

ROOTS = {"XML13": "CHI_TIEU_GIAYCHUYENTUYEN", "XML14": "CHI_TIEU_GIAYHEN_KHAMLAI"}
_FORBIDDEN = {number: None for number in range(32) if number not in (9, 10, 13)}


def written(table: str, facts: Mapping[str, str], sender: str, now: datetime) -> bytes:
    """The file of one slip; ``sender`` is the facility code of who gives it."""
    elements = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in facts.items())
    inner = f"<{ROOTS[table]}>{elements}</{ROOTS[table]}>"
    content = b64encode(inner.encode()).decode()
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{_text(sender)}</MACSKCB></THONGTINDONVI>"
        f"<THONGTINHOSO><NGAYLAP>{now:%Y%m%d}</NGAYLAP><SOLUONGHOSO>1</SOLUONGHOSO><DANHSACHHOSO><HOSO><FILEHOSO>"
        f"<LOAIHOSO>{table}</LOAIHOSO><NOIDUNGFILE>{content}</NOIDUNGFILE>"
        "</FILEHOSO></HOSO></DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>\n"
    ).encode()


def _text(value: str) -> str:
    return escape(value.translate(_FORBIDDEN))
