"""What a document states whole, and when it takes the place of an earlier one."""

import pytest

from adapters.cda.map_document import document_scope, is_revision
from adapters.cda.parse import parse

HEAD = '<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2" extension="A"/>'


def root(rest: str, code: str = "18842-5"):
    return parse(f'{HEAD}<code code="{code}"/>{rest}</ClinicalDocument>'.encode()).root


@pytest.mark.parametrize(
    ("rest", "revises"),
    [
        ("", False),
        ('<versionNumber value="1"/>', False),
        ('<versionNumber value="2"/>', True),
        ('<versionNumber value="1"/><relatedDocument typeCode="RPLC"><parentDocument/></relatedDocument>', True),
        ('<relatedDocument typeCode="APND"><parentDocument/></relatedDocument>', False),
    ],
)
def test_a_document_revises_another_only_when_it_says_so(rest, revises):
    assert is_revision(root(rest)) is revises


def test_documents_of_two_kinds_never_share_a_scope_even_under_one_set():
    series = '<setId root="1.2.3" extension="S"/>'
    assert document_scope(root(series)) == document_scope(root(f'{series}<versionNumber value="2"/>'))
    assert document_scope(root(series)) != document_scope(root(series, code="34133-9"))


def test_the_unit_of_a_first_version_withdraws_nothing(case):
    (unit,) = case("mother-discharge").units
    assert unit.resources
    assert not unit.revises
