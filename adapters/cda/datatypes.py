"""CDA data types as FHIR ones: codes, absent values, times, quantities, files.

https://hl7.org/fhir/R4/datatypes.html
"""

import base64
import re
from functools import lru_cache
from typing import Any

from adapters.cda import times
from adapters.cda.chart import Chart, Spot
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import SYSTEMS, translated
from adapters.contract import Resource

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ICD10 = "http://hl7.org/fhir/sid/icd-10"

REMEMBERED = 1024  # roots of codes and numbers: a hospital has some dozens
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_WHO_ICD10 = re.compile(r"([A-Z]\d\d)\.?(\d?)[*†+]?\Z")


def filled(elements: Resource) -> Resource:
    """Those of the elements that hold something: FHIR has nothing empty."""
    return {name: held for name, held in elements.items() if held or held == 0}


def absent(reason: str = "unknown") -> Resource:
    """What stands where a required value is missing."""
    return {"extension": [{"url": ABSENT, "valueCode": reason}]}


def absence(node: Node, spot: Spot) -> Resource:
    """The reason the sender gives for having no value; empty when it gives none."""
    reason = absence_code(node, spot, "extension[0].valueCode")
    return absent(reason) if reason else {}


def absence_code(node: Node, spot: Spot, path: str = "") -> str:
    """The sender's reason as FHIR's code for it; empty when it gives none."""
    flavor = spot.attribute(node, "nullFlavor", path)
    return (translated("absent", flavor) or "unknown") if flavor else ""


@lru_cache(maxsize=REMEMBERED)
def root_uri(root: str) -> str:
    """A root as a URI: an OID or UUID as its URN, anything else not at all."""
    if _OID.match(root):
        return f"urn:oid:{root}"
    return f"urn:uuid:{root.lower()}" if _UUID.match(root) else ""


def system_uri(chart: Chart, root: str) -> str:
    """The code or identifier system behind a root: the hospital's own table first, then the known ones."""
    local = chart.hospital.codes.get("oid", {}).get(root)
    if local is not None:
        return chart.hospital.systems.get(local.code) or local.system
    return SYSTEMS.get(root) or root_uri(root)


def coding(node: Node, spot: Spot) -> Resource:
    """One coding as the source has it."""
    said = node.attributes
    if "code" not in said:
        return {}
    found: Resource = {}
    system = system_uri(spot.chart, said.get("codeSystem", ""))
    if system:
        found["system"] = system
        spot.attribute(node, "codeSystem", "system")
    if "codeSystemVersion" in said:
        found["version"] = spot.attribute(node, "codeSystemVersion", "version")
    found["code"] = spot.attribute(node, "code", "code")
    if "displayName" in said:
        found["display"] = spot.attribute(node, "displayName", "display")
    return found


def concept(node: Node, spot: Spot) -> Resource:
    """A coded value, or the reason the sender gives for having none."""
    return known_concept(node, spot) or absence(node, spot)


def known_concept(node: Node, spot: Spot) -> Resource:
    """A coded value: source coding, its translations, the standard code where a table has one, and the text."""
    if node is NOTHING:
        return {}
    own = coding(node, spot.at("coding[0]")) if "code" in node.attributes else {}
    codings = [own] if own else []
    text = ""
    if node.children:
        codings += [coding(more, spot.at(f"coding[{n}]")) for n, more in enumerate(_translations(node), len(codings))]
        said = node.first("originalText")
        text = words(said, spot.at("text")) if said else ""
    if own:
        codings += _standard(spot.chart, node, own)
    text = text or _display(codings)
    if not own and not text:
        text = spot.attribute(node, "displayName", "text")
    if node.first("qualifier"):
        text = _qualified(node, text, spot)
    return filled({"coding": codings, "text": text})


def _qualified(node: Node, text: str, spot: Spot) -> str:
    """The words with what narrows the code down, such as the side of the body: FHIR has it in words alone."""
    for value in (qualifier.first("value") for qualifier in node.all("qualifier")):
        code = spot.attribute(value, "code", "text")
        name = spot.attribute(value, "displayName", "text") or code
        spot.attribute(value, "codeSystem", "text")
        if name and name.casefold() not in text.casefold():
            text = f"{text} ({name})" if text else name
    return text


def _display(codings: list[Resource]) -> str:
    """The words of the sender's own code, else of its first translation that has some."""
    for one in codings:
        if one.get("display"):
            return str(one["display"])
    return ""


def required_concept(node: Node, spot: Spot, fallback: Node = NOTHING) -> Resource:
    """A coded value that FHIR demands: else the words of ``fallback``, else the reason it is absent."""
    value = known_concept(node, spot)
    text = "" if value else words(fallback, spot.at("text"))
    return value or ({"text": text} if text else absence(node, spot) or absent())


def _translations(node: Node) -> list[Node]:
    return [one for one in node.all("translation") if one.get("code")]


def _standard(chart: Chart, node: Node, own: Resource) -> list[Resource]:
    """What the hospital's local table and WHO's ICD-10 add to the source's own code."""
    added = []
    local = chart.hospital.codes.get(node.get("codeSystem"), {}).get(own["code"])
    if local is not None:
        added.append(filled({"system": local.system, "code": local.code, "display": local.display}))
    who = _WHO_ICD10.match(own["code"]) if own.get("system", "") == chart.hospital.systems.get("icd10") else None
    if who:
        added.append({"system": ICD10, "code": f"{who[1]}.{who[2]}" if who[2] else who[1]})
    return added


def words(node: Node, spot: Spot) -> str:
    """The words of a text element: its own, or those of the narrative it points at."""
    if node.text:
        return spot.text(node)
    reference = node.first("reference")
    if not reference:
        return ""
    target = spot.chart.document.anchors.get(reference.get("value").removeprefix("#"), "")
    if target:
        spot.attribute(reference, "value")
    return target


def time(node: Node, spot: Spot, attribute: str = "value") -> str:
    """The element's time; a stamp that is no time stays unmapped and is told to the sender."""
    stamp = node.get(attribute)
    if not stamp:
        return ""
    found = times.moment(stamp, spot.chart.hospital.offset)
    if found:
        spot.attribute(node, attribute)
    else:
        spot.chart.notice(f"{node.place}/@{attribute}", "not a valid time stamp")
    return found


def day(node: Node, spot: Spot) -> str:
    """The element's time cut to its date."""
    return time(node, spot)[:10]


def start(node: Node, spot: Spot) -> str:
    """When it began, happened or was centred, whichever the interval gives first."""
    for bound in (node, node.first("low"), node.first("center")):
        found = time(bound, spot)
        if found:
            return found
    return ""


def period(node: Node, spot: Spot) -> Resource:
    """An interval; a width stands in for the bound that is missing."""
    low = time(node.first("low"), spot.at("start"))
    high = node.first("high")
    end = times.moment(high.get("value"), spot.chart.hospital.offset)
    if low and end and not times.in_order(low, end):
        spot.chart.notice(high.place, "the interval ends before it starts: its end is left out")
        return {"start": low}
    end = time(high, spot.at("end"))
    width = node.first("width")
    if low and not end:
        end = _moved(low, width, spot.at("end"), "")
    elif end and not low:
        low = _moved(end, width, spot.at("start"), "-")
    return {name: bound for name, bound in (("start", low), ("end", end)) if bound}


def _moved(time_: str, width: Node, spot: Spot, sign: str) -> str:
    found = times.shifted(time_, sign + width.get("value"), width.get("unit")) if width else ""
    if found:
        spot.attribute(width, "value")
        spot.attribute(width, "unit")
    return found


def timing(node: Node, spot: Spot, name: str) -> dict[str, Any]:
    """A choice of date or period under ``name`` + DateTime or Period, as ``effective`` or ``performed``."""
    if node.first("low") or node.first("high") or node.first("width"):
        found = period(node, spot.at(f"{name}Period"))
        return {f"{name}Period": found} if found else {}
    when = start(node, spot.at(f"{name}DateTime"))
    if when:
        return {f"{name}DateTime": when}
    reason = absence(node, spot.at(f"{name}DateTime"))
    return {f"_{name}DateTime": reason} if reason else {}


def first_time(elements: Resource, name: str) -> str:
    """The moment that decides which stay a fact belongs to."""
    interval = elements.get(f"{name}Period", {})
    return str(elements.get(f"{name}DateTime") or interval.get("start") or interval.get("end") or "")


def decoded(chart: Chart, node: Node, what: str) -> bytes | None:
    """The bytes of a base64 ED; what is not base64 stays unmapped and is told to the sender."""
    try:
        return base64.b64decode(node.text.replace(" ", ""), validate=True)
    except ValueError:
        chart.notice(node.place, f"not valid base64: the {what} is left out")
        return None
