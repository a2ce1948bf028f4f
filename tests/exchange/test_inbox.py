"""What is kept of a message: its bytes, whatever they are."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_gateway.app import now
from fhir_gateway.exchange.inbox import Inbox, Receipt, receipt_of
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import Conflict
from fhir_gateway.search.extract import index
from fhir_gateway.security.audit import Act, event

pytestmark = pytest.mark.anyio


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(min_size=1, max_size=300).filter(bytes.strip))
async def test_any_message_is_given_back_byte_for_byte(store, body):
    letters = Inbox(store, 1000)
    kept, _ = await letters.receive("h", "x/y", body, now(), event(Act("ingest", None), now(), "test", index))
    media_type, original = await Inbox(store, 1000).original("h", kept.receipt)
    assert (media_type, bytes(original), kept.size) == ("x/y", body, len(body))


def test_a_receipt_is_the_same_after_it_was_stored():
    full = Receipt("h", "r", "0", "x/y", 1, "t", resources=("Patient/p",), remapped=("t1", "t2"), corrects="q")
    assert receipt_of(decode(encode(full.content()))) == full


def test_a_receipt_of_an_earlier_day_lacks_what_was_not_known_then():
    known = Receipt("h", "r", "0", "x/y", 1, "t")
    old = {name: value for name, value in known.content().items() if name not in ("mapping", "remapped")}
    assert receipt_of(old) == known


async def test_only_a_quarantined_message_is_tried_again(store):
    letters = Inbox(store, 1000)
    told = event(Act("ingest", None), now(), "test", index)
    kept, _ = await letters.receive("h", "x/y", b"body", now(), told)
    with pytest.raises(Conflict):
        await letters.retry(kept, now(), event(Act("ingest", None), now(), "test", index))
