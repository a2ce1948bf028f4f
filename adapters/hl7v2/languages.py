"""Languages that somebody speaks: the sender's code, and that of BCP 47 beside it, of which R4 wants one.

https://hl7.org/fhir/R4/valueset-all-languages.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import table
from adapters.hl7v2.datatypes import coded, of_row
from adapters.hl7v2.read import Value
from adapters.hl7v2.scene import Scene

BCP_47 = "urn:ietf:bcp:47"


def spoken(scene: Scene, value: Value, at: str) -> Resource | None:
    """The language with its code of BCP 47, where the table knows one of the sender's codes."""
    language = coded(scene, value, at, "language")
    codings = language.get("coding", []) if language else []
    if language is None or any(one.get("system") == BCP_47 for one in codings):
        return language
    known = (table("languages").get(str(one.get("code", "")).lower()) for one in codings)
    found = next((row for row in known if row), None)
    return {**language, "coding": [*codings, of_row(found)]} if found else language
