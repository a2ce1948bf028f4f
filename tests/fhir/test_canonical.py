"""The bytes that are signed."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.canonical import canonical
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.fhir.resource import Resource


def test_members_are_sorted_and_numbers_keep_their_text() -> None:
    body = '{"type":"document","resourceType":"Bundle","total":7.20,"é":1e5,"a":{"c":[{"z":1,"y":"Đ"}],"b":null}}'
    assert (
        canonical(decode(body.encode()))
        == (
            '{"a":{"b":null,"c":[{"y":"Đ","z":1}]},"resourceType":"Bundle","total":7.20,"type":"document","é":1e5}'
        ).encode()
    )


def test_only_the_root_loses_its_id_meta_and_signature() -> None:
    inner = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "1"}}
    bundle: Resource = {
        "resourceType": "Bundle",
        "id": "b",
        "meta": {},
        "signature": {},
        "entry": [{"resource": inner}],
    }
    assert decode(canonical(bundle)) == {"resourceType": "Bundle", "entry": [{"resource": inner}]}


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(item) for name, item in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


_values = st.recursive(
    st.text() | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.text(), _values))
def test_the_order_of_members_does_not_matter_and_storing_changes_nothing(resource: Resource) -> None:
    assert canonical(_reversed(resource)) == canonical(resource)
    assert canonical(decode(encode(resource))) == canonical(resource)
