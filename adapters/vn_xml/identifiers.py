"""Which number is which: citizen id, old identity card, passport, insurance cards, staff licences.

SO_CCCD holds any of three numbers and has no type beside it; they are told apart by their pattern.
"""

import re
from functools import lru_cache

from adapters.contract import Hospital, Resource
from adapters.vn_xml.codes import IDENTIFIER_TYPE, national

_TRAINEE = re.compile(r"(.+?)\((.+)\)")
_MOBILISED = re.compile(r"(.+)\.(?:HD|C)\.(\w{5})")


def identifier(system: str, value: str, kind: str, use: str) -> Resource:
    coding = [{"system": IDENTIFIER_TYPE, "code": kind}]
    return {"use": use, "type": {"coding": coding}, "system": system, "value": value}


def record_number(hospital: Hospital, value: str) -> Resource:
    return identifier(hospital.systems["mrn"], value, "MR", "usual")


def citizen_number(hospital: Hospital, value: str) -> Resource:
    """SO_CCCD by its pattern: 12 digits, 9 digits, anything else a passport."""
    digits = value.isascii() and value.isdigit()
    if digits and len(value) == 12:
        return identifier(hospital.systems["cccd"], value, "NI", "official")
    if digits and len(value) == 9:
        return identifier(hospital.systems["cmnd"], value, "NI", "secondary")
    return identifier(hospital.systems["passport"], value, "PPN", "secondary")


def insurance_card(hospital: Hospital, value: str, *, temporary: bool = False) -> Resource:
    """A card of 15 characters, a 10-digit social insurance number, or a newborn's temporary card."""
    if temporary:
        return identifier(hospital.systems["bhyt-temporary"], value, "NIIP", "temp")
    key = "bhxh" if len(value) == 10 and value.isdigit() else "bhyt"
    return identifier(hospital.systems[key], value, "NIIP", "secondary")


def insurance_number(hospital: Hospital, value: str) -> Resource:
    """A 10-digit social insurance number; ten zeros mean that there is none."""
    return identifier(hospital.systems["bhxh"], value, "NIIP", "secondary") if value.strip("0") else {}


@lru_cache(maxsize=1024)
def staff_key(code: str) -> str:
    """The part of a staff code that names the person: mobilised staff keep their licence number."""
    mobilised = _MOBILISED.fullmatch(code)
    return mobilised.group(1) if mobilised else code


def staff_identity(hospital: Hospital, code: str) -> Resource:
    """Identifier and qualification of a staff code: licence, licence lent to a trainee, or mobilised licence."""
    trainee = _TRAINEE.fullmatch(code)
    if trainee:
        licence, staff = trainee.groups()
        lent = {"identifier": [{"system": hospital.systems["practitioner"], "value": licence}]}
        named = {"system": national(hospital, "MA_NHAN_VIEN"), "value": staff}
        return {"identifier": [named], "qualification": [{**lent, "code": {"text": "Chứng chỉ của người hướng dẫn"}}]}
    licence = {"system": hospital.systems["practitioner"], "value": staff_key(code)}
    mobilised = _MOBILISED.fullmatch(code)
    if mobilised:
        home = {"system": hospital.systems["facility"], "value": mobilised.group(2)}
        licence["assigner"] = {"identifier": home}
    return {"identifier": [licence]}
