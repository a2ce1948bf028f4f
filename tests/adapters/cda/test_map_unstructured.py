"""Bodies that are files."""

import pytest

from adapters.contract import Fate

FILE = (
    '<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{}</text></nonXMLBody></component>'
)


def body(document, content: str) -> str:
    written = document()
    return written[: written.index("<component>")] + FILE.format(content) + "</ClinicalDocument>"


def test_a_file_is_kept_whole(document, translate, made):
    translation = translate(body(document, "JVBERg=="))

    assert made(translation, "Binary")[0]["data"] == "JVBERg=="


@pytest.mark.parametrize("content", ["JVBERg=x", "JVBERé=="])
def test_a_broken_file_is_told_and_nothing_of_it_counts_as_mapped(document, translate, made, content):
    translation = translate(body(document, content))
    fates = {account.place.rpartition("/")[2]: account.fate for account in translation.ledger}

    assert made(translation, "Binary") == []
    assert (fates["@representation"], fates["text"]) == (Fate.UNMAPPED, Fate.UNMAPPED)
    assert "not valid base64: the file is left out" in [notice.text for notice in translation.notices]
