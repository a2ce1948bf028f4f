"""A hospital with every identifier system, and a writer of small GIAMDINHHS files, for the national XML tests."""

from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from adapters import vn_xml
from adapters.contract import Hospital, Message, Resource, Translation
from adapters.vn_xml.fields import ROW_OF_TABLE, TABLE_OF_ROOT

SYSTEMS = ("mrn", "visit", "order", "document", "cccd", "cmnd", "passport", "bhyt", "bhyt-temporary", "bhxh")
OTHERS = ("practitioner", "facility", "episode", "icd10", "ethnicity")
Rows = Iterable[dict[str, str]]


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    systems = {key: f"urn:test:{key}" for key in (*SYSTEMS, *OTHERS)}
    return Hospital("bai-chay", "Bệnh viện Bãi Cháy", "22T02", ("vn_xml",), systems=systems)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    return Path(__file__).parents[3] / "fixtures" / "vn_xml"


@pytest.fixture(scope="session")
def translate(hospital: Hospital) -> Callable[[bytes | str], Translation]:
    def run(body: bytes | str) -> Translation:
        content = body if isinstance(body, bytes) else body.encode()
        return vn_xml.translate(Message(hospital, "application/xml", content, datetime.now(UTC)))

    return run


def inner(table: str, rows: Rows) -> str:
    """One inner file: the table's own root and row elements."""
    row_name = ROW_OF_TABLE[table]
    root = next((root for root, of in TABLE_OF_ROOT.items() if of == table and root != row_name), row_name)
    written = "".join(
        f"<{row_name}>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in row.items())}</{row_name}>"
        for row in rows
    )
    return written if root == row_name else f"<{root}>{written}</{root}>"


def envelope(*dossiers: dict[str, Rows], raw: bool = False) -> str:
    """A file of dossiers, each a mapping of table to rows; inner files in base64 unless ``raw``."""
    parts = []
    for dossier in dossiers:
        for table, rows in dossier.items():
            text = inner(table, rows)
            content = text if raw else b64encode(text.encode()).decode()
            parts.append(f"<FILEHOSO><LOAIHOSO>{table}</LOAIHOSO><NOIDUNGFILE>{content}</NOIDUNGFILE></FILEHOSO>")
        parts.append("</HOSO><HOSO>")
    body = "".join(parts).removesuffix("<HOSO>")
    return (
        "<GIAMDINHHS><THONGTINDONVI><MACSKCB>22T02</MACSKCB></THONGTINDONVI><THONGTINHOSO>"
        f"<DANHSACHHOSO><HOSO>{body}</DANHSACHHOSO></THONGTINHOSO></GIAMDINHHS>"
    )


VISIT = {
    "MA_LK": "LK1",
    "MA_BN": "BN1",
    "HO_TEN": "TRẦN THỊ THỬ",
    "SO_CCCD": "022994009002",
    "NGAY_SINH": "199407020000",
    "GIOI_TINH": "2",
    "MA_BENH_CHINH": "J18.9",
    "NGAY_VAO": "202611200805",
    "NGAY_RA": "202611200930",
    "MA_LOAI_KCB": "01",
    "MA_CSKCB": "22T02",
}


@pytest.fixture(scope="session")
def write() -> Callable[..., str]:
    return envelope


@pytest.fixture
def visit() -> dict[str, str]:
    return dict(VISIT)


@pytest.fixture(scope="session")
def of_type() -> Callable[[Translation, str], list[Resource]]:
    def pick(translation: Translation, resource_type: str) -> list[Resource]:
        resources = (entry["resource"] for entry in translation.bundle.get("entry", []))
        return [resource for resource in resources if resource["resourceType"] == resource_type]

    return pick


@pytest.fixture
def one(translate: Callable[[str], Translation], of_type: Callable[[Translation, str], list[Resource]]):
    """The single resource of a type that a file becomes."""

    def pick(body: str, resource_type: str) -> Resource:
        (resource,) = of_type(translate(body), resource_type)
        return resource

    return pick


@pytest.fixture
def fate(translate: Callable[[str], Translation]):
    """What the ledger says of the field whose place ends so."""

    def pick(body: str, ending: str):
        (account,) = [account for account in translate(body).ledger if account.place.endswith(ending)]
        return account

    return pick
