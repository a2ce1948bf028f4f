"""Numbers of one patient: linked, merged, and either taken back, while every source stays."""

import pytest

pytestmark = pytest.mark.anyio
HL7 = "application/hl7-v2"
PID = "PID|1||{number}^^^22T01^MR||NGUYỄN^{number}^VĂN||1961|M|||||||||||||||22^^Kinh"


def adt(trigger, number, *segments):
    head = f"MSH|^~\\&|HIS|22T01|FHIRGW|QN|20261123||ADT^{trigger}|{trigger}-{number}-{len(segments)}|P|2.5.1"
    return ("\r".join([head + "|||||VNM|UNICODE UTF-8", *segments]) + "\r").encode()


async def sent(province, trigger, number, *segments):
    receipt = (await province.ingest("qn-general", HL7, adt(trigger, number, *segments))).json()
    assert receipt["state"] == "stored", receipt["problems"]


async def patients(province):
    """Patients by number: whether in use, links by type, extensions."""
    found = await province.search("qn-general", "Patient?_count=50")
    names = {f"Patient/{p['id']}": p["identifier"][0]["value"] for p in found}
    return {
        names[f"Patient/{p['id']}"]: (
            p.get("active"),
            [(row["type"], names[row["other"]["reference"]]) for row in p.get("link", ())],
            len(p.get("extension", ())),
        )
        for p in found
    }


def pid(number):
    return PID.format(number=number)


async def test_a_link_is_taken_back_by_its_unlinking(pair):
    province, _ = pair
    await sent(province, "A24", "1", pid("QN1"), pid("QN2"))
    linked = await patients(province)
    assert [linked[n][1] for n in ("QN1", "QN2")] == [[("seealso", "QN2")], [("seealso", "QN1")]]
    await sent(province, "A37", "1", pid("QN1"), pid("QN2"))
    assert await patients(province) == {n: (True, [], linked[n][2]) for n in ("QN1", "QN2")}


async def test_a_merge_is_taken_back_by_an_unlinking(pair):
    province, _ = pair
    await sent(province, "A28", "1", pid("QN1"))
    await sent(province, "A28", "2", pid("QN2"))
    await sent(province, "A40", "1", pid("QN1"), "MRG|QN2^^^22T01^MR")
    merged = await patients(province)
    assert (merged["QN1"][:2], merged["QN2"][:2]) == (
        (True, [("replaces", "QN2")]),
        (False, [("replaced-by", "QN1")]),
    )
    await sent(province, "A37", "1", pid("QN1"), pid("QN2"))
    assert {n: row[:2] for n, row in (await patients(province)).items()} == {"QN1": (True, []), "QN2": (True, [])}


async def test_a_merge_the_other_way_round_corrects_the_first(pair):
    province, _ = pair
    await sent(province, "A40", "1", pid("QN1"), "MRG|QN2^^^22T01^MR")
    await sent(province, "A40", "2", pid("QN2"), "MRG|QN1^^^22T01^MR")
    found = await patients(province)
    assert (found["QN1"][:2], found["QN2"][:2]) == (
        (False, [("replaced-by", "QN2")]),
        (True, [("replaces", "QN1")]),
    )
    history = await province.get("qn-general", "/fhir/Patient/_history?_count=50")
    assert len(history.json()["entry"]) >= 4, "every version is kept"
