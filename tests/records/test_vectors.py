"""Search vectors: what is stored, what is asked, what must be found. Shaped after those that other servers publish.

https://hl7.org/fhir/R4/search.html#prefix

A table's rows are ``question = numbers of the records it finds``. Where published vectors differ from each other, these
follow the text of R4: an equal date contains the record's, a number without prefix is as wide as its last digit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
Element = dict[str, Any]

OBSERVATION = {"status": "final", "code": {"text": "x"}}


def _period(start: str, end: str) -> Element:
    return {"effectivePeriod": {"start": start, "end": end}}


def _coded(*codings: Element, text: str = "") -> Element:
    concept = ({"coding": [*codings]} if codings else {}) | ({"text": text} if text else {})
    return OBSERVATION | {"valueCodeableConcept": concept}


def _code(system: str, code: str, display: str = "") -> Element:
    said = {"system": system, "code": code, "display": display}
    return {name: value for name, value in said.items() if value}


def _quantity(value: float, unit: str = "", system: str = "", comparator: str = "") -> Element:
    said = {"value": value, "comparator": comparator, "unit": unit, "system": system, "code": unit if system else ""}
    return OBSERVATION | {"valueQuantity": {name: part for name, part in said.items() if part != ""}}


def _patient(city: str, family: str, *given: str) -> Element:
    name = {"family": family} | ({"given": [*given]} if given else {})
    return {"address": [{"city": city}], "name": [name]}


def _risk(number: float) -> Element:
    prediction = [{"probabilityDecimal": number}]
    return {"status": "final", "subject": {"reference": "Patient/1"}, "prediction": prediction}


async def _wrong(desk: Desk, visit: Visit, asked: tuple[str, str], records: Sequence[Element], table: str) -> list[str]:
    """The rows of the table that find something else; ``asked`` is the type and the parameter."""
    type_, parameter = asked
    for number, record in enumerate(records):
        await update(desk, visit, f"{type_}/{number}", {"resourceType": type_, "id": str(number), **record})
    wrong = []
    for row in filter(None, (line.strip() for line in table.splitlines())):
        question, _, expected = row.partition(" =")
        modifier, _, value = question.partition(" ") if question.startswith(":") else ("", "", question)
        page = await search(desk, visit, type_, [(f"{parameter}{modifier}", value), ("_count", "50")])
        found = [version.id for version in page.matches]
        if found != expected.split() or page.total != len(found):
            wrong.append(f"{row} / found {found}")
    return wrong


DATES = [
    *(
        OBSERVATION | {"effectiveDateTime": when}
        for when in (
            "2025-12-31",
            "2026",
            "2026-03",
            "2026-03-10",
            "2026-03-10T08:30:15+07:00",
            "2026-03-10T08:30:15.500+07:00",
            "2027-01-01",
        )
    ),
    OBSERVATION | _period("2026-03-15", "2026-03-16"),
]

BY_DATE = """
2026-03-10T01:30:15.000Z = 4
ne2026-03-10T01:30:15.000Z = 0 1 2 3 5 6 7
lt2026-03-10T01:30:15.000Z = 0 1 2 3
le2026-03-10T01:30:15.000Z = 0 1 2 3 4
gt2026-03-10T01:30:15.000Z = 1 2 3 5 6 7
ge2026-03-10T01:30:15.000Z = 1 2 3 4 5 6 7
sa2026-03-10T01:30:15.000Z = 5 6 7
ne2026 = 0 6
ne2026-01 = 0 1 2 3 4 5 6 7
ne2026-03 = 0 1 6
ne2026-03-09 = 0 1 2 3 4 5 6 7
ne2026-03-10 = 0 1 2 6 7
ne2026-03-10T08:30:15 = 0 1 2 3 6 7
ne2026-03-10T08:30:15.500 = 0 1 2 3 4 6 7
ne2026-03-10T08:30:15.5000000 = 0 1 2 3 4 6 7
ne2026-03-10T08:30:30 = 0 1 2 3 4 5 6 7
lt2026 = 0
lt2026-02 = 0 1
lt2026-03 = 0 1
lt2026-03-09 = 0 1 2
lt2026-03-10 = 0 1 2
lt2026-03-10T08:30:14 = 0 1 2 3
lt2026-03-10T08:30:15 = 0 1 2 3
lt2026-03-10T08:30:15.4999999 = 0 1 2 3 4
lt2026-03-10T08:30:15.500 = 0 1 2 3 4
lt2026-03-10T08:30:15.5000000 = 0 1 2 3 4
lt2026-03-10T08:30:15.501 = 0 1 2 3 4 5
lt2026-03-10T08:30:16 = 0 1 2 3 4 5
lt2026-03-11 = 0 1 2 3 4 5
lt2026-04 = 0 1 2 3 4 5 7
lt2027 = 0 1 2 3 4 5 7
lt2027-01-01T00:00:00.000001 = 0 1 2 3 4 5 6 7
gt2025-12-31T23:59:59.9999999 = 1 2 3 4 5 6 7
gt2026 = 6
gt2026-02 = 1 2 3 4 5 6 7
gt2026-03 = 1 6
gt2026-03-10 = 1 2 6 7
gt2026-03-10T08:30:14 = 1 2 3 4 5 6 7
gt2026-03-10T08:30:15 = 1 2 3 6 7
gt2026-03-10T08:30:15.4999999 = 1 2 3 4 5 6 7
gt2026-03-10T08:30:15.500 = 1 2 3 4 6 7
gt2026-03-10T08:30:15.501 = 1 2 3 4 6 7
gt2026-03-10T08:30:16 = 1 2 3 6 7
gt2026-03-11 = 1 2 6 7
gt2026-04 = 1 6
gt2027-01-01T00:00:00.000001 = 6
le2026 = 0 1 2 3 4 5 7
le2026-02 = 0 1
le2026-03 = 0 1 2 3 4 5 7
le2026-03-09 = 0 1 2
le2026-03-10 = 0 1 2 3 4 5
le2026-03-10T08:30:14 = 0 1 2 3
le2026-03-10T08:30:15 = 0 1 2 3 4 5
le2026-03-10T08:30:15.4999999 = 0 1 2 3 4
le2026-03-10T08:30:15.500 = 0 1 2 3 4 5
le2026-03-10T08:30:16 = 0 1 2 3 4 5
le2026-03-11 = 0 1 2 3 4 5
le2026-04 = 0 1 2 3 4 5 7
le2027 = 0 1 2 3 4 5 6 7
le2027-01-01T00:00:00.000001 = 0 1 2 3 4 5 6 7
ge2025-12-31T23:59:59.9999999 = 1 2 3 4 5 6 7
ge2026 = 1 2 3 4 5 6 7
ge2026-02 = 1 2 3 4 5 6 7
ge2026-03 = 1 2 3 4 5 6 7
ge2026-03-10 = 1 2 3 4 5 6 7
ge2026-03-10T08:30:14 = 1 2 3 4 5 6 7
ge2026-03-10T08:30:15 = 1 2 3 4 5 6 7
ge2026-03-10T08:30:15.4999999 = 1 2 3 4 5 6 7
ge2026-03-10T08:30:15.500 = 1 2 3 4 5 6 7
ge2026-03-10T08:30:15.501 = 1 2 3 4 6 7
ge2026-03-10T08:30:16 = 1 2 3 6 7
ge2026-03-11 = 1 2 6 7
ge2026-04 = 1 6
ge2027-01-01T00:00:00.000001 = 6
sa2026 = 6
sa2026-02 = 2 3 4 5 6 7
sa2026-03 = 6
sa2026-03-09 = 3 4 5 6 7
sa2026-03-10 = 6 7
sa2026-03-10T08:30:14 = 4 5 6 7
sa2026-03-10T08:30:15 = 6 7
sa2026-03-10T08:30:15.4999999 = 5 6 7
sa2026-03-10T08:30:15.500 = 6 7
sa2026-03-10T08:30:16 = 6 7
sa2026-03-11 = 6 7
sa2026-04 = 6
sa2027 =
sa2027-01-01T00:00:00.000001 =
eb2025-12-31T23:59:59.9999999 =
eb2026 = 0
eb2026-02 = 0
eb2026-03 = 0
eb2026-03-10 = 0
eb2026-03-10T08:30:14 = 0
eb2026-03-10T08:30:15 = 0
eb2026-03-10T08:30:15.500 = 0
eb2026-03-10T08:30:15.501 = 0 5
eb2026-03-10T08:30:16 = 0 4 5
eb2026-03-11 = 0 3 4 5
eb2026-04 = 0 2 3 4 5 7
eb2027-01-01T00:00:00.000001 = 0 1 2 3 4 5 7
"""


async def test_dates_are_compared_as_intervals(desk: Desk, visit_of: VisitOf) -> None:
    assert await _wrong(desk, visit_of("admin"), ("Observation", "date"), DATES, BY_DATE) == []


async def test_a_date_without_prefix_finds_what_ne_does_not(desk: Desk, visit_of: VisitOf) -> None:
    others = [row.removeprefix("ne") for row in BY_DATE.split() if row.startswith("ne")]
    excluded = [row.partition(" =")[2].split() for row in BY_DATE.splitlines() if row.startswith("ne")]
    everything = [str(number) for number in range(len(DATES))]
    table = "\n".join(
        f"{when} = {' '.join(one for one in everything if one not in without)}"
        for when, without in zip(others, excluded, strict=True)
    )
    assert await _wrong(desk, visit_of("admin"), ("Observation", "date"), DATES, table) == []


BIRTHS = [
    {"birthDate": day}
    for day in ("2000", "2000-03", "2000-03-03", "1999-12-31", "2000-04-01", "2000-02-29", "2000-03-31", "2001-12")
]

BY_BIRTH = """
2000 = 0 1 2 4 5 6
2000-03 = 1 2 6
2000-03-03 = 2
2000-02-29 = 5
2001-12 = 7
2000-03-03,1999 = 2 3
ne2000-03-03 = 0 1 3 4 5 6 7
lt2000 = 3
sa2000 = 7
:missing true =
"""


async def test_partial_dates_of_birth_are_as_wide_as_they_are_written(desk: Desk, visit_of: VisitOf) -> None:
    assert await _wrong(desk, visit_of("admin"), ("Patient", "birthdate"), BIRTHS, BY_BIRTH) == []


BY_NUMBER = """
3 =
5 = 2
5.000 = 2
1e2 = 4
100 = 4
98 =
ne5 = 0 1 3 4
ne1e2 = 0 1 2 3
lt4.9 = 0 1
lt5 = 0 1
lt5.01 = 0 1 2
gt4.9 = 2 3 4
gt5.000 = 3 4
le5 = 0 1 2
le4.9 = 0 1
ge4.9999 = 2 3 4
ge5 = 2 3 4
ge5.001 = 3 4
sa5 = 3 4
eb5 = 0 1
eb5.0001 = 0 1 2
ap95 = 4
ap5.5 = 2 3
"""


async def test_numbers_are_as_exact_as_they_are_written(desk: Desk, visit_of: VisitOf) -> None:
    records = [_risk(number) for number in (1, 4, 5, 6, 100)]
    assert await _wrong(desk, visit_of("admin"), ("RiskAssessment", "probability"), records, BY_NUMBER) == []


QUANTITIES = [
    _quantity(0.002, "g", "urn:one"),
    _quantity(1.0, "g", "urn:one"),
    _quantity(3.12, "g", "urn:two"),
    _quantity(5.0, "g", "urn:one"),
    _quantity(5.0, "tablet", "urn:two"),
    _quantity(8.95, "tablet", "urn:one"),
    _quantity(6, "mg", "http://unitsofmeasure.org"),
]

BY_QUANTITY = """
0.002 = 0
2E-3 = 0
5 = 3 4
5.000 = 3 4
ne5 = 0 1 2 5 6
lt4.9 = 0 1 2
gt5 = 5 6
ge5 = 3 4 5 6
le5 = 0 1 2 3 4
sa5 = 5 6
eb5.0001 = 0 1 2 3 4
5|urn:one = 3
ne5|urn:one = 0 1 5
gt2e-3|urn:two = 2 4
5||tablet = 4
ne5||tablet = 5
gt4.9||tablet = 4 5
2e-3|urn:one|g = 0
2e-3|urn:two|g =
5|urn:one|tablet =
ge5|urn:one|tablet = 5
0.006|http://unitsofmeasure.org|g = 6
6000|http://unitsofmeasure.org|ug = 6
lt0.006|http://unitsofmeasure.org|g =
"""


async def test_quantities_are_found_by_number_system_and_unit(desk: Desk, visit_of: VisitOf) -> None:
    assert await _wrong(desk, visit_of("admin"), ("Observation", "value-quantity"), QUANTITIES, BY_QUANTITY) == []


BY_COMPARATOR = """
3 = 4
ne3 = 0 1 2 3
lt3 = 0 1
le3 = 0 1 3 4
gt3 = 2 3
ge3 = 1 2 3 4
gt2 = 0 1 2 3 4
lt4 = 0 1 2 3 4
ge4 = 2 3
lt-1000 = 0 1
eb3 = 0
eb4 = 0 1 4
sa3 = 2
sa2 = 2 3 4
5 =
lt0.003|http://unitsofmeasure.org|g = 0
gt0.003|http://unitsofmeasure.org|g =
"""


async def test_a_value_below_a_limit_is_all_that_lies_below_it(desk: Desk, visit_of: VisitOf) -> None:
    records = [
        _quantity(3, "mg", "http://unitsofmeasure.org", "<"),
        _quantity(3, comparator="<="),
        _quantity(3, comparator=">"),
        _quantity(3, comparator=">="),
        _quantity(3),
    ]
    assert await _wrong(desk, visit_of("admin"), ("Observation", "value-quantity"), records, BY_COMPARATOR) == []


TOKENS = [
    _coded(_code("urn:one", "a")),
    _coded(_code("urn:two", "b")),
    _coded(text="sốt cao"),
    _coded(_code("urn:one", "b", "sốt nhẹ")),
    _coded(_code("urn:three", "c", "sốt cao")),
    _coded(_code("urn:one", "a"), _code("urn:three", "b"), text="ho"),
    _coded(_code("", "c")),
    OBSERVATION,
]

BY_TOKEN = """
z =
a = 0 5
c = 4 6
urn:two|b = 1
|b =
|c = 6
urn:nowhere| =
urn:three| = 4 5
a,urn:two|b = 0 1 5
:not z = 0 1 2 3 4 5 6 7
:not a = 1 2 3 4 6 7
:not a,urn:two|b = 2 3 4 6 7
:not |c = 0 1 2 3 4 5 7
:not urn:three| = 0 1 2 3 6 7
:text sot = 2 3 4
:text sot-cao = 2 4
:text a =
:missing true = 7
:missing false = 0 1 2 3 4 5 6
"""


async def test_tokens_are_found_by_system_and_code_or_by_their_words(desk: Desk, visit_of: VisitOf) -> None:
    table = BY_TOKEN.replace("sot-cao", "sot\u00a0cao")
    assert await _wrong(desk, visit_of("admin"), ("Observation", "value-concept"), TOKENS, table) == []


STRINGS = [
    _patient("Hạ Long", "Vũ", "Bích"),
    _patient("Cẩm Phả", "Hoàng"),
    _patient("Móng Cái", "Hoa"),
    _patient("Hạ Hoà", "Đỗ,Hoa"),
]

BY_CITY = """
ha = 0 3
HẠ = 0 3
long =
:contains LONG = 0
:contains hoa = 3
:exact Ha =
:exact Hạ =
"""

BY_NAME = """
bich = 0
vu = 0
hoa = 1 2
hoang = 1
do\\,hoa = 3
vu,do = 0 3
:exact Hoa = 2
:exact hoa =
:contains oa = 1 2 3
"""


async def test_strings_begin_contain_or_are_what_is_asked(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    assert await _wrong(desk, admin, ("Patient", "address-city"), STRINGS, BY_CITY) == []
    assert await _wrong(desk, admin, ("Patient", "name"), STRINGS, BY_NAME) == []


BY_EXPRESSION = """
family eq hoa = 2
family eq HÒA = 2
family eq ho =
family gt "do,hoa" = 0 1 2
family gt hoa = 0 1
family ge hoa = 0 1 2
family lt hoang = 2 3
family le hoang = 1 2 3
family lt do =
family ne hoa = 0 1 3
family ew g = 1
given ne bich =
given pr true and family gt a = 0
name sw vu or name sw do and name co hoa = 3
name sw vu or (name sw do and name co hoa) = 0 3
not (family eq hoa or family eq hoang) = 0 3
address-city le ha = 1
address-city eq "ha long" = 0
"""


async def test_expressions_compare_whole_texts_from_left_to_right(desk: Desk, visit_of: VisitOf) -> None:
    assert await _wrong(desk, visit_of("admin"), ("Patient", "_filter"), STRINGS, BY_EXPRESSION) == []


BY_RELATION = """
DocumentReference/9$appends = 0
DocumentReference/9$http://hl7.org/fhir/document-relationship-type|appends = 0
DocumentReference/9$replaces =
DocumentReference/8$replaces = 1
DocumentReference/9$appends,DocumentReference/8$replaces = 0 1
"""


async def test_parts_of_a_composite_hold_in_one_element(desk: Desk, visit_of: VisitOf) -> None:
    content = {"status": "current", "content": [{"attachment": {"title": "x"}}]}
    related = [("appends", "9"), ("replaces", "8")]
    links = [{"code": code, "target": {"reference": f"DocumentReference/{target}"}} for code, target in related]
    records = [content | {"relatesTo": [link]} for link in links]
    asked = ("DocumentReference", "relationship")
    assert await _wrong(desk, visit_of("admin"), asked, records, BY_RELATION) == []


BY_ADDRESS = """
http://a.vn/sets/one = 0
http://A.vn/sets/one =
urn:oid:1.2.3 = 1
http://a.vn/sets/one#x = 2
:above http://a.vn/sets/one/deep = 0
:above one =
:below http://a.vn/sets = 0 2
:below http://a.vn/sets/ = 0 2
:below http://a.vn/set =
"""


async def test_addresses_are_compared_to_the_letter_and_by_their_path(desk: Desk, visit_of: VisitOf) -> None:
    addresses = ("http://a.vn/sets/one", "urn:oid:1.2.3", "http://a.vn/sets/one#x")
    records = [{"status": "active", "url": address} for address in addresses]
    assert await _wrong(desk, visit_of("admin"), ("ValueSet", "url"), records, BY_ADDRESS) == []


BY_REFERENCE = """
Practitioner/1 = 0
1 = 0 1
Organization/1 = 1
:Practitioner 1 = 0
:Organization Organization/1 = 1
http://gateway/fhir/Practitioner/1 = 0
practitioner/1 =
Practitioner/2 =
http://elsewhere.vn/Practitioner/1 = 2
:missing true = 3
"""


async def test_references_are_found_by_id_type_and_address(desk: Desk, visit_of: VisitOf) -> None:
    links = ("Practitioner/1", "Organization/1", "http://elsewhere.vn/Practitioner/1")
    records: list[Element] = [{"generalPractitioner": [{"reference": link}]} for link in links]
    records.append({"active": True})
    assert await _wrong(desk, visit_of("admin"), ("Patient", "general-practitioner"), records, BY_REFERENCE) == []


BY_PATIENT = """
Patient/1 = 0 1
http://elsewhere.vn/Patient/1 = 2 3
:missing false = 0 1 2 3
:missing true = 4 5 6
"""


async def test_a_reference_of_one_type_is_there_wherever_its_record_is_kept(desk: Desk, visit_of: VisitOf) -> None:
    links = ("Patient/1", "Patient/1/_history/2", "http://elsewhere.vn/Patient/1", "http://elsewhere.vn/Patient/1")
    others = ("Location/1", "http://elsewhere.vn/Patient/1/Location/1")
    records = [OBSERVATION | {"subject": {"reference": link}} for link in (*links, *others)]
    records[3] = OBSERVATION | {"subject": {"reference": "http://elsewhere.vn/Patient/1", "type": "Patient"}}
    assert await _wrong(desk, visit_of("admin"), ("Observation", "patient"), [*records, OBSERVATION], BY_PATIENT) == []


async def test_a_type_named_in_a_search_of_one_type_finds_all_or_nothing(desk: Desk, visit_of: VisitOf) -> None:
    records = [{"active": True}, {"active": False}]
    table = "Patient = 0 1\nObservation =\nObservation,Patient = 0 1\n:not Patient =\n:not Observation = 0 1"
    assert await _wrong(desk, visit_of("admin"), ("Patient", "_type"), records, table) == []
