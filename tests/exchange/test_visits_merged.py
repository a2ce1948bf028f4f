"""A merge of visits or accounts, and the merge the other way round that takes it back."""

import pytest

from fhir_gateway.exchange.remapping import Outcome

pytestmark = pytest.mark.anyio

HEADER = "MSH|^~\\&|HIS|22T01|FHIRGW|QN|20261106110000||ADT^{}|QN-{}|P|2.5.1|||AL|NE|VNM|UNICODE UTF-8"
PID = "PID|1||QN0071^^^22T01^MR||ĐẶNG^LIÊN^THỊ||1970|F||||||||||{}"
PV1 = "PV1|1|O|||||||||||||||||{}"


def message(event, number, *rows):
    return ("\r".join([HEADER.format(event, number), *rows]) + "\r").encode()


def numbers(visit):
    return {(row["use"], row["value"]) for row in visit["identifier"]}


async def found(desk, kind, number):
    """The records of that kind by the number they have as their own: the one that is not old, else the old one."""
    receipt = await desk.file("qn-general", message("A08", f"9{number}", PID.format(""), PV1.format(number)))
    (ref,) = [ref for ref in receipt.resources if ref.startswith(kind)]
    return ref


@pytest.mark.parametrize("event", ["A42", "A50", "A45"])
async def test_a_merge_of_visits_the_other_way_round_takes_the_first_one_back(desk, event):
    one, other = await found(desk, "Encounter", "VN1"), await found(desk, "Encounter", "VN2")
    await desk.file("qn-general", message(event, 1, PID.format(""), "MRG|||||VN2", PV1.format("VN1")))
    assert (await desk.resource(other))["partOf"] == {"reference": one}
    first = await desk.file("qn-general", message(event, 2, PID.format(""), "MRG|||||VN1", PV1.format("VN2")))

    stays, goes = await desk.resource(other), await desk.resource(one)
    assert "partOf" not in stays
    assert goes["partOf"] == {"reference": other}
    assert numbers(stays) == {("official", "VN2"), ("old", "VN1")}
    assert numbers(goes) == {("old", "VN1")}
    await desk.file("qn-general", message(event, 3, PID.format(""), "MRG|||||VN2", PV1.format("VN1")))
    assert "partOf" not in await desk.resource(one)
    assert (await desk.resource(other))["partOf"] == {"reference": one}
    # The second message mapped again says nothing that the third did not take back.
    again = await desk.remap(first)
    assert (again.outcome, again.edits) == (Outcome.UNCHANGED, ())


async def test_a_visit_that_is_part_of_a_third_one_stays_so(desk):
    one, other = await found(desk, "Encounter", "VN1"), await found(desk, "Encounter", "VN2")
    third = await found(desk, "Encounter", "VN3")
    await desk.file("qn-general", message("A42", 1, PID.format(""), "MRG|||||VN2", PV1.format("VN3")))
    await desk.file("qn-general", message("A42", 2, PID.format(""), "MRG|||||VN1", PV1.format("VN2")))
    assert (await desk.resource(other))["partOf"] == {"reference": third}
    assert (await desk.resource(one))["partOf"] == {"reference": other}


async def test_a_merge_that_closes_a_circle_of_three_visits_ends_the_first_one(desk):
    one, other = await found(desk, "Encounter", "VN1"), await found(desk, "Encounter", "VN2")
    third = await found(desk, "Encounter", "VN3")
    for number, (stays, goes) in enumerate([("VN2", "VN1"), ("VN3", "VN2"), ("VN1", "VN3")], 1):
        await desk.file("qn-general", message("A42", number, PID.format(""), f"MRG|||||{goes}", PV1.format(stays)))
    assert "partOf" not in await desk.resource(one)
    assert (await desk.resource(third))["partOf"] == {"reference": one}
    assert (await desk.resource(other))["partOf"] == {"reference": third}


async def test_a_merge_of_accounts_the_other_way_round_takes_the_first_one_back(desk):
    for number, (stays, goes) in enumerate([("TK1", "TK2"), ("TK2", "TK1")], 1):
        receipt = await desk.file("qn-general", message("A41", number, PID.format(stays), f"MRG|||{goes}"))
    refs = [ref for ref in receipt.resources if ref.startswith("Account/")]
    rows = {row["identifier"][0]["value"]: row for row in [await desk.resource(ref) for ref in refs]}
    assert "partOf" not in rows["TK2"]
    assert rows["TK2"]["status"] == "unknown"
    assert (rows["TK1"]["status"], rows["TK1"]["partOf"]["reference"].partition("/")[0]) == ("inactive", "Account")


async def test_an_alternate_number_changed_back_is_in_use_again(desk):
    row = PV1.format("VN1") + "|" * 31
    await desk.file("qn-general", message("A51", 1, PID.format(""), "MRG||||||PHU1", row + "PHU2"))
    receipt = await desk.file("qn-general", message("A51", 2, PID.format(""), "MRG||||||PHU2", row + "PHU1"))
    (ref,) = [ref for ref in receipt.resources if ref.startswith("Encounter/")]
    rows = {row["value"]: row.get("use") for row in (await desk.resource(ref))["identifier"]}
    assert rows == {"VN1": "official", "PHU1": None, "PHU2": "old"}
