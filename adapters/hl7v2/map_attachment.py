"""OBX with encapsulated data (ED) to an attachment: of the report, or of a DocumentReference when there is none.

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

_MAIN_TYPES = {"IM": "image", "IMAGE": "image", "TEXT": "text", "AP": "application", "APPLICATION": "application"}


def map_attachment(scene: Scene, obx: Segment, order: Order | None) -> bool:
    """Whether the row held a document and was filed as one."""
    attached = [value for value in obx.values(5) if obx.peek(2).upper() == "ED" and value.peek(5)]
    for value in attached:
        if order and order.report:
            forms = order.report.setdefault("presentedForm", [])
            at = f"DiagnosticReport/{order.report['id']}#presentedForm[{len(forms)}]"
            forms.append(attachment(scene, obx, value, at))
        else:
            _map_document(scene, obx, value)
    return bool(attached)


def attachment(scene: Scene, obx: Segment, value: Value, at: str) -> Resource:
    raw = _bytes(value)
    title = obx.value(3).peek(2) or obx.peek(3)
    for row in (obx.value(2), obx.value(3), obx.value(4), obx.value(11)):
        row.take_all(f"{at}.title")
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
    if main.upper() in _MAIN_TYPES and sub.upper() not in ("", "OCTET-STREAM") and "/" not in sub:
        known = code("media-types", sub.upper())
        return known or f"{_MAIN_TYPES[main.upper()]}/{sub.lower()}"
    return code("media-types", sub.upper()) or (sub if "/" in sub else "application/octet-stream")


def _map_document(scene: Scene, obx: Segment, value: Value) -> None:
    key = scene.key("DocumentReference", scene.encounter_key or scene.patient_key, obx.peek(3), obx.peek(4))
    at = scene.at("DocumentReference", key)
    encounter = scene.encounter()
    scene.add(
        "DocumentReference",
        key,
        {
            "status": "current",
            "type": coded(scene, obx.value(3), f"{at}type", "observation"),
            "subject": scene.patient(),
            "content": [{"attachment": attachment(scene, obx, value, f"{at}content[0].attachment")}],
            "context": {"encounter": [encounter]} if encounter else None,
        },
    )
