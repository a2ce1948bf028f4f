"""Implants, aids and other equipment, and that the patient uses them.

https://hl7.org/fhir/R4/device.html
"""

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import filled, known_concept, timing
from adapters.cda.device_numbers import read_apart
from adapters.cda.facts import Setting, keep_text, notes, open_fact, status
from adapters.cda.identifiers import identifiers, number_of
from adapters.cda.node import NOTHING, Node
from adapters.contract import Resource

FDA_UDI = "2.16.840.1.113883.3.3719"

_INSTANCE = "2.16.840.1.113883.10.20.22.4.37"


def devices(statement: Node) -> list[Node]:
    """The roles of a statement that are things."""
    roles = [one.first("participantRole") for one in statement.all("participant")]
    return [role for role in roles if role.first("playingDevice") or _is_instance(role)]


def _is_instance(role: Node) -> bool:
    return any(template.get("root") == _INSTANCE for template in role.all("templateId"))


def device(chart: Chart, role: Node) -> Link:
    """One thing, known by its number, else by its kind and its place in the document."""
    thing = role.first("playingDevice")
    number = next((number_of(one) for one in role.all("id") if number_of(one)), "")
    link = ("Device", number or f"{chart.scope}|{role.place}")
    if _is_another(chart, link, thing):
        link = ("Device", f"{number}|{role.place}")
    spot = chart.spot(link)
    elements: Resource = {
        "identifier": identifiers(role.all("id"), spot, chart.known(link, "identifier")),
        **_udi(role, spot),
        "type": known_concept(thing.first("code"), spot.at("type")),
        "deviceName": _names(thing, spot),
        "manufacturer": _maker(role, spot),
        "patient": chart.subject(),
    }
    chart.add(link, elements)
    return link


def _is_another(chart: Chart, link: Link, thing: Node) -> bool:
    """Whether the number was given to a thing of another kind: published samples give one to a stent and a cane."""
    if not chart.draft.has(*link):
        return False
    kinds = {coding.get("code") for coding in chart.draft.live(*link).get("type", {}).get("coding", ())}
    code = thing.first("code").get("code")
    return bool(kinds and code) and code not in kinds


def _udi(role: Node, spot: Spot) -> Resource:
    """The unique device number: its whole text is for people to read, its parts are elements of their own."""
    number = next((one for one in role.all("id") if one.get("root") == FDA_UDI), NOTHING)
    written = spot.attribute(number, "extension", "udiCarrier[0].carrierHRF")
    product, told = read_apart(written)
    for name in told:
        spot.attribute(number, "extension", name)
    carrier = filled({"deviceIdentifier": product, "carrierHRF": written})
    return {"udiCarrier": [carrier] if carrier else [], **told}


def _names(thing: Node, spot: Spot) -> list[Resource]:
    named = [(thing.first("manufacturerModelName"), "model-name"), (thing.first("softwareName"), "other")]
    present = [(node, kind) for node, kind in named if node.text]
    return [{"name": spot.text(node, f"deviceName[{n}].name"), "type": kind} for n, (node, kind) in enumerate(present)]


def _maker(role: Node, spot: Spot) -> str:
    """The maker by its name, or by its number where that is all there is."""
    maker = role.first("scopingEntity")
    text = spot.text(maker.first("desc"), "manufacturer")
    number = maker.first("id")
    if not text and number_of(number):
        for name in ("root", "extension"):
            spot.attribute(number, name, "manufacturer")
    return text or number_of(number)


def equipment(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A supply of equipment: the thing, and that the patient has it."""
    roles = devices(statement)
    if not roles:
        return []
    link, spot, elements = open_fact(chart, "DeviceUseStatement", statement, roles[0].first("playingDevice", "code"))
    keep_text(statement, setting)
    told = status(statement, "device_use_status", spot)
    elements |= {
        "status": "active" if told == "unknown" else told,
        "subject": chart.subject(),
        **timing(statement.first("effectiveTime"), spot, "timing"),
        "device": chart.link(device(chart, roles[0])),
        "note": notes(statement, spot),
    }
    chart.add(link, elements)
    return [link]
