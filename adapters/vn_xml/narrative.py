"""Documents: a Composition whose sections carry the hospital's own words and cite the resources made from the tables.

https://hl7.org/fhir/R4/composition.html
"""

from dataclasses import dataclass, field
from html import escape

from adapters.contract import Resource
from adapters.vn_xml.codes import LOINC, absent, worded
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.map_conditions import condition_keys
from adapters.vn_xml.records import Record

XHTML = "http://www.w3.org/1999/xhtml"


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a document: which fields it is written from, and what it cites."""

    title: str
    loinc: str
    fields: tuple[tuple[str, str], ...]
    entries: list[Resource] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Document:
    """What a kind of document is called and which fields sign it; ``loinc`` is empty where no code fits."""

    loinc: str
    loinc_display: str
    title: str
    author_field: str
    date_field: str


def sections(record: Record, target: str, planned: list[Section]) -> list[Resource]:
    """The sections that have words; a field is shown with its label when the section has several."""
    written: list[Resource] = []
    for section in planned:
        paragraphs = []
        for name, label in section.fields:
            text = record.take(name, f"{target}#section[{len(written)}].text")
            if text:
                paragraphs.append(_paragraph(label, text))
        if paragraphs:
            written.append(_section(section, paragraphs))
    return written


def _section(section: Section, paragraphs: list[str]) -> Resource:
    coding = [{"system": LOINC, "code": section.loinc}] if section.loinc else []
    written: Resource = {
        "title": section.title,
        "code": worded(coding, section.title),
        "text": {"status": "additional", "div": f'<div xmlns="{XHTML}">{"".join(paragraphs)}</div>'},
    }
    return {**written, "entry": section.entries} if section.entries else written


def _paragraph(label: str, text: str) -> str:
    words = escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br/>")
    return f"<p><b>{escape(label)}:</b> {words}</p>" if label else f"<p>{words}</p>"


def compose(episode: Episode, record: Record, document: Document, key: str, child: str = "") -> Resource:
    """A Composition without sections; about a ``child`` beside its mother's episode it leaves her visit out."""
    target = episode.begin(record, "Composition", key, of_visit=not child)
    authors = episode.staff(record, document.author_field, f"{target}#author")
    elements: Resource = {
        "status": "final",
        "type": {
            "coding": [{"system": LOINC, "code": document.loinc, "display": document.loinc_display}]
            if document.loinc
            else [],
            "text": document.title,
        },
        "subject": episode.link("Patient", child) if child else episode.patient(),
        "encounter": None if child else episode.encounter(),
        "event": _at_the_mothers(episode, record, target) if child else [],
        **_dated(episode, record, document, target),
        "author": authors or [episode.own_facility()],
        "title": document.title,
        "attester": [
            {"mode": "legal", "party": party} for party in episode.staff(record, "MA_TTDV", f"{target}#attester[0]")
        ],
        "custodian": episode.own_facility(),
    }
    return episode.add("Composition", key, elements)


def _at_the_mothers(episode: Episode, record: Record, target: str) -> list[Resource]:
    """A child's document tells of what happened in its mother's stay, known by its code alone."""
    record.take("MA_LK", f"{target}#event[0].detail[0].identifier.value")
    stay = {"system": episode.hospital.systems["episode"], "value": episode.key}
    return [{"detail": [{"type": "Encounter", "identifier": stay}]}]


def _dated(episode: Episode, record: Record, document: Document, target: str) -> Resource:
    """The document's own date, else the end of the visit, else an explicit absence."""
    own = episode.time(record, document.date_field, f"{target}#date")
    last = own or episode.time(record, "NGAY_RA", f"{target}#date")
    if last:
        return {"date": last}
    return {"_date": absent()}


def diagnosis_links(episode: Episode) -> list[Resource]:
    """The coded Conditions of the episode, to be cited."""
    return [episode.link("Condition", key) for key in condition_keys(episode) if episode.draft.has("Condition", key)]
