"""Insurance cards of XML1 to Coverage: one per card, from lists that run in parallel.

https://hl7.org/fhir/R4/coverage.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import ACT_CODE
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.identifiers import insurance_card
from adapters.vn_xml.map_patient import CORE, is_newborn
from adapters.vn_xml.times import date_of

PAYOR = "Bảo hiểm xã hội Việt Nam"
PARALLEL = ("MA_DKBD", "GT_THE_TU", "GT_THE_DEN")


def coverages(episode: Episode) -> None:
    """One Coverage per card; validity and registration come from the same position of their lists."""
    record = episode.head
    cards = record.many("MA_THE_BHYT")
    lists = {name: record.many(name) for name in PARALLEL}
    for name, parts in lists.items():
        if parts and len(parts) != len(cards):
            record.note(name, f"{len(parts)} parts for {len(cards)} cards; read by position")
    for index, card in enumerate(cards):
        if card:
            at = {name: parts[index] if index < len(parts) else "" for name, parts in lists.items()}
            _coverage(episode, card, at)


def _coverage(episode: Episode, card: str, at: dict[str, str]) -> None:
    key = f"{episode.patient_key}|{card}"
    take = episode.head.into(episode.target("Coverage", key))
    take("MA_THE_BHYT", "subscriberId")
    number = insurance_card(episode.hospital, card, temporary=is_newborn(episode) and card.startswith("TE1"))
    coverage: Resource = {
        "identifier": [number],
        "status": "active",
        "type": {"coding": [{"system": ACT_CODE, "code": "PUBLICPOL"}], "text": "Bảo hiểm y tế"},
        "subscriberId": card,
        "beneficiary": episode.patient(),
        "period": _validity(episode, at, key),
        "payor": [{"display": PAYOR}],
        "class": _area(take("MA_KHUVUC", "class[0].value")),
        "extension": _registration(episode, at["MA_DKBD"], key),
    }
    episode.add("Coverage", key, coverage)


def _validity(episode: Episode, at: dict[str, str], key: str) -> Resource:
    period: dict[str, str] = {}
    for name, edge in (("GT_THE_TU", "start"), ("GT_THE_DEN", "end")):
        day = date_of(at[name])
        if day and day < period.get("start", "")[: len(day)]:
            episode.head.note(name, "before GT_THE_TU; left unmapped")
        elif day:
            period[edge] = day
            episode.head.take(name, f"{episode.target('Coverage', key)}#period.{edge}")
        elif at[name]:
            episode.head.note(name, "not a date of the form yyyyMMdd")
    return period


def _registration(episode: Episode, code: str, key: str) -> list[Resource]:
    if not code:
        return []
    episode.head.take("MA_DKBD", f"{episode.target('Coverage', key)}#extension")
    reference = {"type": "Organization", "identifier": {"system": episode.hospital.systems["facility"], "value": code}}
    return [{"url": f"{CORE}/vn-ext-primary-care-facility", "valueReference": reference}]


def _area(code: str) -> list[Resource]:
    return [{"type": {"text": "Khu vực sinh sống"}, "value": code}] if code else []
