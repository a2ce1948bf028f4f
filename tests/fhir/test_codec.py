"""JSON text to values and back: numbers keep their text, faults name their place."""

import json
import pickle
from copy import copy, deepcopy
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.codec import (
    DEPTH_LIMIT,
    SpelledDecimal,
    decode,
    decode_resource,
    encode,
    place,
    plain,
)
from fhir_gateway.problem import Malformed, TooLarge

_digits = st.text("0123456789", min_size=1, max_size=12)
_fractions = st.builds(
    "{}{}.{}{}".format,
    st.sampled_from(["", "-"]),
    st.integers(0, 10**9),
    _digits,
    st.sampled_from(["", "e5", "E-7", "e+2", "E0"]),
)
_leaves = st.none() | st.booleans() | st.integers() | st.text()
_values = st.recursive(_leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@settings(deadline=None, max_examples=300)
@given(_fractions)
def test_every_decimal_keeps_its_text(text: str) -> None:
    body = b'{"value":%b}' % text.encode()
    assert encode(decode(body)) == body


@pytest.mark.parametrize("text", ["7.20", "0.0000001", "1e5", "1.0e+2", "-0.0", "0.10000000000000000000001"])
def test_a_decimal_comes_back_as_it_was_written(text: str) -> None:
    assert encode(decode(text.encode())) == text.encode()
    assert decode(text.encode()) == Decimal(text)


@settings(deadline=None, max_examples=200)
@given(_values)
def test_what_the_standard_library_writes_is_read_the_same(value: object) -> None:
    assert decode(json.dumps(value).encode()) == value
    assert json.loads(encode(value)) == value


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60) | st.text('[]{}",:\\u018daE-.\n ', max_size=40).map(str.encode))
def test_no_bytes_do_worse_than_malformed(body: bytes) -> None:
    try:
        value = decode(body)
    except Malformed:
        return
    assert decode(encode(value)) == value


def test_a_whole_number_stays_a_whole_number() -> None:
    assert type(decode(b"[12]")[0]) is int


@pytest.mark.parametrize(
    ("body", "text", "where"),
    [
        (b"", "the body is empty", None),
        (b"\xef\xbb\xbf{}", "the body starts with a byte order mark", "line 1, column 1"),
        (b'{"a":\n NaN}', "not JSON: invalid character", "line 2, column 2"),
        (b'{"a":Infinity}', "not JSON: invalid character", "line 1, column 6"),
        (b'{"a":1,}', "not JSON: trailing comma in object", "line 1, column 8"),
        (b'{"a":1} x', "not JSON: trailing characters", "line 1, column 9"),
        (b'{"a":"x', "not JSON: the text ends too early", "line 1, column 8"),
        (b'{"a":01}', "not JSON: invalid number", "line 1, column 7"),
        (b'{"a":"\\ud800"}', "half of a surrogate pair is not a character", "line 1, column 7"),
        (b'{"a":"\\udc00x"}', "half of a surrogate pair is not a character", "line 1, column 7"),
        (b'{"a":\n"\xff"}', "the body is not UTF-8", "line 2, column 2"),
        (b'{"a":1e999999999}', "a number has an exponent beyond 400", None),
        (b'{"a":{"b":1,\n"b":2}}', "an object has the same member twice", "line 2, column 1"),
        (b'{"a":"\\"","\\u0061":2}', "an object has the same member twice", "line 1, column 11"),
    ],
)
def test_a_fault_is_told_with_its_place(body: bytes, text: str, where: str | None) -> None:
    with pytest.raises(Malformed) as caught:
        decode(body)
    assert (caught.value.text, caught.value.issues[0].where) == (text, where)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":[' * 50_000 + b"]}" * 50_000,
        b"[{]}" * 50_000,
    ],
)
def test_hostile_nesting_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode(body)


def test_nesting_is_allowed_up_to_the_limit_and_no_further() -> None:
    assert decode(b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT)
    with pytest.raises(Malformed, match="deeper than 64"):
        decode(b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1))


def test_brackets_and_colons_inside_text_do_not_count() -> None:
    text = '[{"' * 200 + "\\" + '":'
    assert decode(encode({"note": text})) == {"note": text}


def test_a_body_beyond_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge):
        decode(b'"12345678"', limit=9)
    assert decode(b'"12345678"', limit=10) == "12345678"


@pytest.mark.parametrize("body", [b"[]", b'"Patient"', b"1", b"null", b"{}", b'{"resourceType":1}'])
def test_a_resource_is_an_object_that_names_its_type(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_resource(body)


def test_vietnamese_text_stays_as_it_is() -> None:
    body = '{"resourceType":"Patient","name":[{"text":"NGUYỄN THỊ ÁNH"}]}'.encode()
    assert encode(decode_resource(body)) == body


def test_a_place_counts_lines_and_columns_from_one() -> None:
    assert place(b"ab\ncd", 4) == "line 2, column 2"


def test_plain_decimals_replace_those_that_remember_their_spelling() -> None:
    value = plain(decode(b'{"a":[1e5,7.20]}'))
    assert [type(item) for item in value["a"]] == [Decimal, Decimal]
    assert isinstance(decode(b"1e5"), SpelledDecimal)


def test_a_copy_keeps_the_spelling() -> None:
    value = decode(b"[1e5,0.0000001]")
    for again in (copy(value), deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert encode(again) == b"[1e5,0.0000001]"


def test_what_is_no_json_value_is_refused() -> None:
    with pytest.raises(TypeError):
        encode({"a": object()})
