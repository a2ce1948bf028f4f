"""Regular expressions that strangers wrote, matched in linear time: none of them can keep the server busy.

https://hl7.org/fhir/R4/valueset-filter-operator.html
"""

from functools import lru_cache

import jsonschema_rs

from fhir_gateway.problem import BadRequest

LENGTH_LIMIT = 500


def matches(pattern: str, text: str) -> bool:
    """Whether ``pattern`` is found in ``text``; BadRequest when it is no regular expression that this engine knows."""
    return _compiled(pattern).is_valid(text)


def matches_whole(pattern: str, text: str) -> bool:
    """Whether ``pattern`` describes all of ``text``."""
    return _compiled(f"^(?:{pattern})$").is_valid(text)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> jsonschema_rs.Draft4Validator:
    if len(pattern) > LENGTH_LIMIT:
        raise BadRequest(f"a regular expression may have {LENGTH_LIMIT} characters", "regex")
    schema = {"type": "string", "pattern": pattern}
    try:
        # The engine without backtracking; it knows no look-around and no back references.
        return jsonschema_rs.Draft4Validator(schema, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise BadRequest("not a regular expression that can be matched in linear time", "regex") from error
