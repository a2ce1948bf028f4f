"""Dossiers to one transaction Bundle: which tables make an episode, who heads it, what is labelled secret."""

from adapters.contract import Hospital, Resource, Untranslatable
from adapters.draft import Draft
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.map_births import births
from adapters.vn_xml.map_conditions import conditions
from adapters.vn_xml.map_coverage import coverages
from adapters.vn_xml.map_documents import discharge_letters, summaries
from adapters.vn_xml.map_encounter import encounter
from adapters.vn_xml.map_medications import medications
from adapters.vn_xml.map_patient import patient
from adapters.vn_xml.map_progress import progress
from adapters.vn_xml.map_referral import Evidence, referrals
from adapters.vn_xml.map_results import results
from adapters.vn_xml.map_revisit import revisits
from adapters.vn_xml.map_services import services
from adapters.vn_xml.map_visit import visit_details
from adapters.vn_xml.records import Dossier, Reading, Record
from adapters.vn_xml.sensitivity import restrict

#: Tables that can tell about patient and visit, best first.
HEADS = ("XML1", "XML13", "XML14", "XML8", "XML7", "XML9", "XML5", "XML2", "XML3", "XML4")
LISTED = ("XML0", "XML6", "XML10", "XML11", "XML12", "XML15")

#: Types whose words may tell a secret diagnosis even where no code does.
NARRATIVE = frozenset({"Encounter", "Composition", "ClinicalImpression", "CarePlan", "Appointment"})


def translate_dossiers(hospital: Hospital, dossiers: list[Dossier], reading: Reading) -> Resource:
    """One Bundle for all dossiers. Raises Untranslatable when none has a key."""
    draft = Draft(hospital.name)
    keyed = [dossier for dossier in dossiers if _key(dossier)]
    if not keyed:
        raise Untranslatable("no MA_LK: nothing says which episode of care this is", dossiers[0].place or "/")
    for dossier in dossiers:
        _tell_listed(dossier, reading)
        if dossier in keyed:
            _dossier(hospital, draft, dossier, reading)
        else:
            reading.note(dossier.place, "no MA_LK; the dossier is listed as unmapped")
    return draft.bundle()


def _key(dossier: Dossier) -> str:
    head = dossier.first(*HEADS, *LISTED)
    return head.text("MA_LK") if head else ""


def _tell_listed(dossier: Dossier, reading: Reading) -> None:
    for table in LISTED:
        for record in dossier.rows(table)[:1]:
            secret = table == "XML6"
            text = "secret category: HIV table is not exchanged" if secret else f"{table} is listed, not mapped"
            reading.note(record.place, text)


def _dossier(hospital: Hospital, draft: Draft, dossier: Dossier, reading: Reading) -> None:
    head = dossier.first(*HEADS)
    if head is None:
        return
    key = head.text("MA_LK")
    tables = {table: _of_episode(rows, key) for table, rows in dossier.tables.items()}
    own = Dossier(dossier.place, tables, dossier.envelope)
    if head.table != "XML1":
        reading.note(head.place, f"no XML1; patient and visit are read from {head.table}")
    _tell_extra_heads(own)
    patient_key = head.text("MA_BN") or f"episode:{key}"
    episode = Episode(hospital, draft, reading, own, key, head, patient_key)
    if head.table == "XML9":
        births(episode)
    else:
        _episode(episode)
    _restrict(episode)


def _of_episode(rows: list[Record], key: str) -> list[Record]:
    """Rows of this episode alone: one that names another MA_LK may be another patient's and stays unmapped."""
    own = []
    for row in rows:
        if row.table != "XML9" and row.text("MA_LK") and row.text("MA_LK") != key:
            row.note("MA_LK", "another episode than the head of the dossier; the row is left unmapped")
        else:
            own.append(row)
    return own


def _tell_extra_heads(dossier: Dossier) -> None:
    for row in dossier.rows("XML1")[1:]:
        row.note("MA_LK", "a second XML1 in one dossier; left unmapped")


def _episode(episode: Episode) -> None:
    patient(episode)
    coverages(episode)
    encounter(episode, conditions(episode))
    visit_details(episode)
    found = services(episode)
    medicated = medications(episode, found.requests)
    measured = results(episode, found)
    signs = progress(episode)
    births(episode)
    discharge_letters(episode)
    summaries(episode)
    referrals(episode, Evidence(signs, measured, medicated, found.procedures))
    revisits(episode)


def _restrict(episode: Episode) -> None:
    """Label the narratives and the referral of an episode with a secret diagnosis."""
    if not episode.labels:
        return
    referrals_made = range(1, len(episode.dossier.rows("XML13")) + 1)
    requests = {episode.draft.id("ServiceRequest", f"{episode.key}|XML13|{index}") for index in referrals_made}
    for identity, resource in episode.made.items():
        if resource["resourceType"] in NARRATIVE or identity in requests:
            restrict(resource, episode.labels)
