"""Names, addresses and telephone numbers of people and organisations.

https://hl7.org/fhir/R4/datatypes.html#HumanName
"""

from adapters.cda.chart import Spot, listed
from adapters.cda.datatypes import filled, period
from adapters.cda.node import Node
from adapters.cda.tables import translated
from adapters.contract import Resource

_NICKNAME = "CL"
_LINES = frozenset(
    {"streetAddressLine", "streetName", "houseNumber", "additionalLocator", "deliveryAddressLine", "unitID", "precinct"}
)


def names(nodes: list[Node], spot: Spot, known: list[Resource] | None = None) -> list[Resource]:
    """Every name, and the nicknames given inside a name as names of their own."""
    nicknames = [given for node in nodes for given in node.all("given") if _is_nickname(given)]
    return listed([*nodes, *nicknames], (spot, "name"), _any_name, known or [])


def _any_name(node: Node, spot: Spot) -> Resource:
    if node.name != "given":
        return _name(node, spot)
    spot.attribute(node, "qualifier", "use")
    return {"use": "nickname", "given": [spot.text(node, "given[0]")]}


def first_name(nodes: list[Node], spot: Spot) -> Resource:
    """The first name, where FHIR has room for one."""
    return next((one for one in (_name(node, spot.at("name")) for node in nodes[:1]) if one), {})


def spoken(node: Node) -> str:
    """A name as one line in the order it is written."""
    parts = [part.text for part in node.children if part.text and not _is_nickname(part) and part.name != "delimiter"]
    return " ".join([node.text, *parts] if node.text else parts)


def _name(node: Node, spot: Spot) -> Resource:
    text = spoken(node)
    if not text:
        return {}
    parts = _parts(node, spot) if node.children else _guess(node, spot)
    use = translated("name_use", _used(node, "use", "name_use", spot)) or _birth_name(node, spot)
    return filled({"use": use, "text": text, **parts, "period": period(node.first("validTime"), spot.at("period"))})


def _birth_name(node: Node, spot: Spot) -> str:
    """The name before marriage, where the sender marks the family name as that of birth."""
    born = [part for part in node.all("family") if part.get("qualifier") == "BR"]
    return "maiden" if born and spot.attribute(born[0], "qualifier", "use") else ""


def _parts(node: Node, spot: Spot) -> Resource:
    if node.text:
        spot.text(node, "text")
    given = [part for part in node.all("given") if part.text and not _is_nickname(part)]
    return {
        "family": " ".join(spot.text(part, "family") for part in node.all("family") if part.text),
        "given": [spot.text(part, f"given[{n}]") for n, part in enumerate(given)],
        "prefix": _affixes(node, "prefix", spot),
        "suffix": _affixes(node, "suffix", spot),
    }


def _affixes(node: Node, name: str, spot: Spot) -> list[str]:
    present = [part for part in node.all(name) if part.text]
    return [spot.text(part, f"{name}[{n}]") for n, part in enumerate(present)]


def _guess(node: Node, spot: Spot) -> Resource:
    """A Vietnamese name in one string: the family name comes first. A guess, so ``text`` is what counts."""
    spot.text(node, "text")
    family, _, given = node.text.partition(" ")
    return {"family": family, "given": given.split()}


def _is_nickname(part: Node) -> bool:
    return part.name == "given" and part.get("qualifier") == _NICKNAME and bool(part.text)


def addresses(nodes: list[Node], spot: Spot, known: list[Resource] | None = None) -> list[Resource]:
    return listed(nodes, (spot, "address"), address, known or [])


def address(node: Node, spot: Spot) -> Resource:
    """One address; words outside its parts are its text."""
    lines = [part for part in node.children if part.name in _LINES and part.text]
    parts = {
        "text": spot.text(node, "text"),
        "line": [spot.text(part, f"line[{n}]") for n, part in enumerate(lines)],
        "city": spot.text(node.first("city"), "city"),
        "district": spot.text(node.first("county"), "district"),
        "state": spot.text(node.first("state"), "state"),
        "postalCode": spot.text(node.first("postalCode"), "postalCode"),
        "country": spot.text(node.first("country"), "country"),
    }
    if not any(parts.values()):
        return {}
    use = translated("address_use", _used(node, "use", "address_use", spot))
    return filled({"use": use, **parts, "period": period(node.first("useablePeriod"), spot.at("period"))})


def telecoms(
    nodes: list[Node], spot: Spot, name: str = "telecom", known: list[Resource] | None = None
) -> list[Resource]:
    return listed(nodes, (spot, name), _telecom, known or [])


def _telecom(node: Node, spot: Spot) -> Resource:
    value = spot.attribute(node, "value", "value")
    if not value:
        return {}
    scheme, colon, rest = value.partition(":")
    system = translated("telecom_scheme", scheme.lower()) if colon else "phone"
    kept = rest.strip() if system in {"phone", "fax", "email", "sms"} and colon else value
    use = translated("telecom_use", _used(node, "use", "telecom_use", spot))
    return filled({"system": system or "other", "value": kept or value, "use": use})


def _used(node: Node, attribute: str, table: str, spot: Spot) -> str:
    """The first use code that the table knows: senders write several, parted by blanks.

    An organization has no home (org-2, org-3): the code stays unmapped in the ledger.
    """
    for code in node.get(attribute).split():
        meant = translated(table, code)
        if meant and not (meant == "home" and spot.resource_type == "Organization"):
            spot.attribute(node, attribute, "use")
            return code
    return ""
