"""OBX with encapsulated data (ED) to a DocumentReference, and to the presented form of its report.

https://hl7.org/fhir/R4/datatypes.html#Attachment
"""

import base64
import binascii
import hashlib

from adapters.contract import Resource
from adapters.hl7v2.codes import code
from adapters.hl7v2.datatypes import absent, coded, time
from adapters.hl7v2.map_report import Order
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

# Table 0085 as far as a document can be so; an answer that was cancelled or only registered is none of these.
_COMPLETION = {"final": "final", "preliminary": "preliminary", "amended": "amended", "corrected": "amended"}
_COMPLETION |= {"entered-in-error": "entered-in-error"}
_MAIN_TYPES = {"IM": "image", "IMAGE": "image", "TEXT": "text", "AP": "application", "APPLICATION": "application"}


def map_attachment(scene: Scene, obx: Segment, order: Order | None) -> bool:
    """Whether the row held a document and was filed as one."""
    if obx.peek(2).upper() != "ED":
        return False
    # Announced by its type alone, without any data, a document is missing and not a text.
    attached = [value for value in obx.values(5) if 5 in value or 3 in value]
    for value in attached:
        form = _map_document(scene, obx, value, order)
        if order and order.report:
            forms = order.report.setdefault("presentedForm", [])
            value.took(5, f"DiagnosticReport/{order.report['id']}#presentedForm[{len(forms)}]")
            forms.append(form)
    return bool(attached)


def attachment(scene: Scene, obx: Segment, value: Value, at: str) -> Resource:
    raw = _bytes(value)
    title = obx.value(3).take(2, f"{at}.title") or obx.take(3, f"{at}.title")
    obx.take(2, at)
    return {
        "contentType": _content_type(value, raw or b"", at),
        **_content(value, raw, at),
        "title": title,
        "creation": time(scene, obx.value(14), f"{at}.creation"),
    }


def _content(value: Value, raw: bytes | None, at: str) -> Resource:
    """The document itself; one that cannot be decoded is marked missing and stays in the ledger as unmapped."""
    if raw is None:
        value.notice("the encapsulated document cannot be decoded; it was left out", 5)
        return {"_data": absent("error")}
    value.took(5, f"{at}.data")
    value.took(4, f"{at}.data")
    return {
        "data": base64.b64encode(raw).decode("ascii"),
        "size": len(raw),
        # FHIR R4 defines Attachment.hash as SHA-1.
        "hash": base64.b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode("ascii"),
    }


def _bytes(value: Value) -> bytes | None:
    """The document; None when its encoding is broken: half a report would be worse than none."""
    text, encoding = value.peek(5), value.peek(4).upper()
    if not text:
        return None
    try:
        if encoding == "HEX":
            return bytes.fromhex(text)
        if encoding in ("BASE64", ""):
            return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return text.encode("utf-8")


def _content_type(value: Value, raw: bytes, at: str) -> str:
    """The media type from the bytes' own mark, else from ED.2 and ED.3."""
    main, sub = value.take(2, f"{at}.contentType"), value.take(3, f"{at}.contentType")
    # The file's own first bytes are surer than what ED.2 and ED.3 declare (octet-stream, for one).
    if raw.startswith(b"%PDF-"):
        return "application/pdf"
    return media_type(main, sub) or "application/octet-stream"


def completion(obx: Segment) -> str:
    """How complete the document is by OBX-11; empty for an answer that no document can be."""
    return _COMPLETION.get(code("v2-0085", obx.peek(11).upper()), "")


def media_type(main: str, sub: str) -> str:
    """The media type that a pair of HL7 data types (table 0191, table 0291) names; empty for one that names none."""
    if main.upper() in _MAIN_TYPES and sub.upper() not in ("", "OCTET-STREAM") and "/" not in sub:
        known = code("media-types", sub.upper())
        return known or f"{_MAIN_TYPES[main.upper()]}/{sub.lower()}"
    return code("media-types", sub.upper()) or (sub if "/" in sub else "")


def _map_document(scene: Scene, obx: Segment, value: Value, order: Order | None) -> Resource:
    """The DocumentReference, which says what a form of a report cannot: its code and how complete it is; its file."""
    report = order.report if order else None
    base = order.key if order and report else scene.encounter_key or scene.patient_key
    key = scene.key("DocumentReference", base, obx.peek(3), obx.peek(4))
    at = scene.at("DocumentReference", key)
    encounter = scene.encounter()
    form = attachment(scene, obx, value, f"{at}content[0].attachment")
    obx.take(4, f"{at}id")
    said = completion(obx)
    if said:
        obx.take(11, f"{at}docStatus")
    related = [{"reference": f"urn:uuid:{report['id']}"}] if report else []
    scene.add(
        "DocumentReference",
        key,
        {
            "status": "entered-in-error" if said == "entered-in-error" else "current",
            "docStatus": said,
            "type": coded(scene, obx.value(3), f"{at}type", "observation"),
            "subject": scene.patient(),
            "content": [{"attachment": form}],
            "context": {"encounter": [encounter] if encounter else [], "related": related},
        },
    )
    return form
