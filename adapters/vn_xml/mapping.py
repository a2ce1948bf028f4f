"""Dossiers to one transaction Bundle: which tables make an episode, who heads it, what is labelled secret."""

from collections.abc import Callable

from adapters.contract import Hospital, Resource, Unit, Untranslatable
from adapters.draft import Draft
from adapters.reading import Reading
from adapters.vn_xml.episode import Episode, own_key
from adapters.vn_xml.map_assessment import assessment_key, assessments
from adapters.vn_xml.map_births import births
from adapters.vn_xml.map_certificates import certificates
from adapters.vn_xml.map_checkin import check_ins, fullest_first
from adapters.vn_xml.map_conditions import conditions
from adapters.vn_xml.map_coverage import coverages
from adapters.vn_xml.map_documents import discharge_letters, summaries
from adapters.vn_xml.map_encounter import encounter
from adapters.vn_xml.map_medications import medications
from adapters.vn_xml.map_panels import care_panels
from adapters.vn_xml.map_patient import patient
from adapters.vn_xml.map_progress import progress
from adapters.vn_xml.map_referral import Evidence, referrals
from adapters.vn_xml.map_results import results
from adapters.vn_xml.map_revisit import revisits
from adapters.vn_xml.map_services import services
from adapters.vn_xml.map_visit import visit_details
from adapters.vn_xml.records import Dossier, Record
from adapters.vn_xml.sensitivity import restrict

#: Tables that can tell about patient and visit, best first.
HEADS = (
    "XML1", "XML13", "XML14", "XML8", "XML7", "XML0", "XML15", "XML9", "XML6", "XML11", "XML5", "XML2", "XML3", "XML4",
    "XML10", "XML12",
)  # fmt: skip
#: Tables that may come alone as the list of many people.
LISTS = frozenset({"XML0", "XML6", "XML12", "XML15"})
#: The tables of one claim: a file with XML1 states all of them, so one that is no longer there was withdrawn.
CLAIM = ("XML1", "XML2", "XML3", "XML4", "XML5")

Writers = tuple[tuple[str, Callable[[Episode], None]], ...]
#: Documents of the episode, and what comes after the referral or stands beside it, each with what writes it.
DOCUMENTS: Writers = (("XML9", births), ("XML7", discharge_letters), ("XML8", summaries))
BESIDE: Writers = (
    ("XML14", revisits),
    ("XML0", check_ins),
    ("XML10", certificates),
    ("XML6", care_panels),
    ("XML12", assessments),
)

#: Types whose words may tell a secret diagnosis even where no code does.
NARRATIVE = frozenset({"Encounter", "Composition", "ClinicalImpression", "CarePlan", "Appointment"})


def translate_dossiers(hospital: Hospital, dossiers: list[Dossier], reading: Reading) -> Resource:
    """One Bundle for all dossiers. Raises Untranslatable when none has a key."""
    draft = Draft(hospital.name)
    dossiers = [part for dossier in dossiers for part in _split(dossier)]
    keyed = [dossier for dossier in dossiers if _key(dossier)]
    if not keyed:
        raise Untranslatable("no MA_LK: nothing says which episode of care this is", dossiers[0].place or "/")
    for dossier in dossiers:
        if dossier in keyed:
            _dossier(hospital, draft, dossier, reading)
        else:
            reading.note(dossier.place, "no MA_LK; the dossier is listed as unmapped")
    return draft.bundle()


def _split(dossier: Dossier) -> list[Dossier]:
    """A list of check-ins, HIV or tuberculosis rows, or assessments holds many people: a dossier each."""
    if not dossier.tables or not dossier.tables.keys() <= LISTS:
        return [dossier]
    people: dict[str, dict[str, list[Record]]] = {}
    for table, rows in dossier.tables.items():
        for row in rows:
            whose = assessment_key(row) if table == "XML12" else row.text("MA_LK")
            people.setdefault(whose, {}).setdefault(table, []).append(row)
    return [Dossier(dossier.place, tables, dossier.envelope) for tables in people.values()]


def _key(dossier: Dossier) -> str:
    head = dossier.first(*HEADS)
    if head is None:
        return ""
    return assessment_key(head) if head.table == "XML12" else head.text("MA_LK")


def _dossier(hospital: Hospital, draft: Draft, dossier: Dossier, reading: Reading) -> None:
    key = _key(dossier)
    own = _of_episode(dossier, key)
    head = own.first(*HEADS)
    assert head is not None  # it gave the key
    if head.table != "XML1":
        reading.note(head.place, f"no XML1; patient and visit are read from {head.table}")
    _tell_extra_heads(own)
    patient_key = head.text("MA_BN") or f"episode:{key}"
    episode = Episode(hospital, draft, reading, own, key, head, patient_key)
    episode.part = head.table
    if head.table in ("XML9", "XML12"):
        dossier.envelope.take("MACSKCB", f"{episode.target('Organization', own_key(hospital))}#identifier[0].value")
    if head.table == "XML9":
        births(episode)
    elif head.table == "XML12":
        assessments(episode)
    else:
        _episode(episode)
    _restrict(episode)
    _state(episode)


def _of_episode(dossier: Dossier, key: str) -> Dossier:
    """The dossier with the rows of this episode alone, of the twice listed the fullest first."""
    head = dossier.first(*HEADS)
    # Births tell by themselves whose they are, and so do assessments that came alone.
    apart = {"XML9", "XML12"} if head and head.table == "XML12" else {"XML9"}
    tables = {table: rows if table in apart else _named_by(key, rows) for table, rows in dossier.tables.items()}
    tables["XML0"] = fullest_first(tables.get("XML0", []))
    return Dossier(dossier.place, tables, dossier.envelope)


def _named_by(key: str, rows: list[Record]) -> list[Record]:
    """A row that names another MA_LK may be another patient's and stays unmapped."""
    own = []
    for row in rows:
        if row.text("MA_LK") not in ("", key):
            row.note("MA_LK", "another episode than the head of the dossier; the row is left unmapped")
        else:
            own.append(row)
    return own


def _tell_extra_heads(dossier: Dossier) -> None:
    for row in dossier.rows("XML1")[1:]:
        row.note("MA_LK", "a second XML1 in one dossier; left unmapped")


def _episode(episode: Episode) -> None:
    episode.part = episode.head.table
    patient(episode)
    coverages(episode)
    encounter(episode, conditions(episode))
    visit_details(episode)
    evidence = _clinical(episode)
    _write(episode, DOCUMENTS)
    episode.part = "XML13"
    referrals(episode, evidence)
    _write(episode, BESIDE)


def _write(episode: Episode, tables: Writers) -> None:
    for table, write in tables:
        episode.part = table
        write(episode)


def _clinical(episode: Episode) -> Evidence:
    """The detailed tables, which the referral cites."""
    episode.part = "XML3"
    found = services(episode)
    episode.part = "XML2"
    medicated = medications(episode, found.requests)
    episode.part = "XML4"
    measured = results(episode, found)
    episode.part = "XML5"
    return Evidence(progress(episode), measured, medicated, found.procedures)


def _state(episode: Episode) -> None:
    """Say which tables of the episode this file states completely."""
    stated = {table for table, rows in episode.dossier.tables.items() if rows}
    if episode.head.table == "XML1":
        stated |= set(CLAIM)
    for table in sorted(stated):
        made = tuple(episode.parts.get(table, ()))
        episode.reading.units.append(Unit(f"MA_LK|{episode.key}", table, made))


def _restrict(episode: Episode) -> None:
    """Label the narratives and the referral of an episode with a secret diagnosis."""
    if not episode.labels:
        return
    referrals_made = range(1, len(episode.dossier.rows("XML13")) + 1)
    requests = {episode.draft.id("ServiceRequest", f"{episode.key}|XML13|{index}") for index in referrals_made}
    for identity, resource in episode.made.items():
        if resource["resourceType"] in NARRATIVE or identity in requests:
            restrict(resource, episode.labels)
