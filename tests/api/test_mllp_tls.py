"""MLLP over TLS with certificates made here: who is let in, who is turned away, and what the log says of it."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from fhir_gateway.api.certificates import server_context
from fhir_gateway.api.listeners import Port, opened, ports
from fhir_gateway.api.mllp import END, START
from fhir_gateway.exchange.directory import load
from fhir_gateway.exchange.doors import MllpDoor
from fhir_gateway.problem import BadRequest, Problem, Unavailable
from fhir_gateway.security.keys import KeyRing

pytestmark = pytest.mark.anyio


@dataclass
class Authority:
    """A certificate authority of a test: its certificate, and the files of those it vouches for."""

    folder: Path

    def __post_init__(self):
        self.ring = KeyRing(self.folder, "authority")
        self.ca = self.folder / "ca.pem"
        self.ca.write_bytes(self.ring.authority)

    def certificate(self, name: str) -> Path:
        before = set((self.folder / "facilities").glob("*.pem"))
        self.ring.facility(name)
        (made,) = set((self.folder / "facilities").glob("*.pem")) - before
        return made


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def stranger(tmp_path):
    return Authority(tmp_path / "stranger")


@pytest.fixture
async def listening(pair, authority):
    """Opens the port of a hospital over TLS."""
    stack = []

    async def listen(hospital="qn-general", clients=()):
        door = MllpDoor("", authority.certificate(f"server of {hospital}"), authority.ca, clients)
        context = opened(pair[0].gateway.reception, [Port(hospital, "127.0.0.1", 0, door)], 10.0)
        (address,) = await context.__aenter__()
        stack.append(context)
        return int(address.rpartition(":")[2])

    yield listen
    for context in stack:
        await context.__aexit__(None, None, None)


def client(certificate: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


async def sent(port: int, body: bytes, tls: ssl.SSLContext | None) -> str:
    """The acknowledgement, or nothing where the connection is closed without one."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(START + body + END)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(100_000), 10)
    except (ssl.SSLError, ConnectionError):
        return ""
    writer.close()
    return answer.decode()


async def taken(pair, hospital="qn-general") -> int:
    return len(await pair[0].gateway.store.notes("inbox", {"hospital": hospital}, "", 9))


async def test_the_certificate_of_the_hospital_is_let_in(listening, authority, pair, message):
    port = await listening()
    answer = await sent(port, message("hl7v2/admission-a01"), client(authority.certificate("22T01")))
    assert "MSA|AA|" in answer
    assert await taken(pair) == 1


async def test_the_hospital_s_own_name_counts_as_well(listening, authority, message):
    answer = await sent(await listening(), message("hl7v2/admission-a01"), client(authority.certificate("QN-GENERAL")))
    assert "MSA|AA|" in answer


async def test_without_a_certificate_nobody_is_let_in(listening, pair, message, capfd):
    port = await listening()
    assert await sent(port, message("hl7v2/admission-a01"), client()) == ""
    assert await taken(pair) == 0
    assert "shows no client certificate" in capfd.readouterr().out


async def test_the_certificate_of_another_authority_is_not_trusted(listening, stranger, pair, message, capfd):
    port = await listening()
    assert await sent(port, message("hl7v2/admission-a01"), client(stranger.certificate("22T01"))) == ""
    assert await taken(pair) == 0
    assert "not trusted" in capfd.readouterr().out


def expired(authority: Authority, name: str) -> Path:
    """A certificate of the authority that ended yesterday."""
    held = (authority.folder / "authority.pem").read_bytes()
    ca, key = x509.load_pem_x509_certificate(authority.ring.authority), load_pem_private_key(held, None)
    own, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    build = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    build = build.issuer_name(ca.subject).public_key(own.public_key()).serial_number(5)
    build = build.not_valid_before(now - timedelta(days=9)).not_valid_after(now - timedelta(days=1))
    made = authority.folder / "expired.pem"
    private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made.write_bytes(private + build.sign(key, hashes.SHA384()).public_bytes(Encoding.PEM))
    return made


async def test_a_certificate_that_has_ended_is_refused_with_that_reason(listening, authority, pair, message, capfd):
    port = await listening()
    assert await sent(port, message("hl7v2/admission-a01"), client(expired(authority, "22T01"))) == ""
    assert await taken(pair) == 0
    assert "has expired" in capfd.readouterr().out


async def test_the_certificate_of_another_hospital_is_not_this_one_s(listening, authority, pair, message, capfd):
    port = await listening("qn-general")
    assert await sent(port, message("hl7v2/admission-a01"), client(authority.certificate("22T02"))) == ""
    assert await taken(pair) == 0
    assert "not of this hospital" in capfd.readouterr().out


async def test_a_named_client_and_a_fingerprint_are_let_in_and_nobody_else(listening, authority, message):
    engine, pinned, other = (authority.certificate(name) for name in ("engine.qn", "pinned", "22T01"))
    pem = pinned.read_text()
    own = pem[pem.index("-----BEGIN CERTIFICATE") :].partition("-----END")[0] + "-----END CERTIFICATE-----\n"
    digest = sha256(ssl.PEM_cert_to_DER_cert(own)).hexdigest().upper()
    spoken = ("engine.qn", "sha256:" + ":".join(digest[i : i + 2] for i in range(0, 64, 2)))
    port = await listening(clients=spoken)
    body = message("hl7v2/admission-a01")
    assert "MSA|AA|" in await sent(port, body, client(engine))
    assert "MSA|AA|" in await sent(port, body, client(pinned))
    assert await sent(port, body, client(other)) == ""


async def test_plain_speech_on_the_tls_port_is_turned_away_with_a_clear_log(listening, pair, message, capfd):
    port = await listening()
    assert await sent(port, message("hl7v2/admission-a01"), None) == ""
    assert await taken(pair) == 0
    assert "does not speak TLS" in capfd.readouterr().out


async def test_a_sender_that_was_turned_away_does_not_disturb_the_next(listening, authority, message):
    port, body = await listening(), message("hl7v2/admission-a01")
    await sent(port, body, None)
    await sent(port, body, client())
    assert "MSA|AA|" in await sent(port, body, client(authority.certificate("22T01")))


FOURTH = """
name = "fourth"
title = "Bệnh viện thứ tư"
facility_code = "22T04"
adapters = ["hl7v2"]

[mllp]
listen = "{listen}"
certificate = "server.pem"
client_ca = "ca.pem"
clients = ["engine.fourth"]
"""


def directory_of(folder: Path, listen: str):
    (folder / "fourth.toml").write_text(FOURTH.format(listen=listen), encoding="utf-8")
    return load("here", None, folder, folder / "partners")


def test_a_hospital_s_file_opens_its_own_port_with_its_own_certificates(tmp_path):
    (port,) = ports(None, directory_of(tmp_path, "0.0.0.0:2576"), None, None)
    assert (port.hospital, port.host, port.number) == ("fourth", "0.0.0.0", 2576)
    assert (port.door.certificate, port.door.client_ca) == (tmp_path / "server.pem", tmp_path / "ca.pem")
    assert port.door.clients == ("engine.fourth",)


def test_several_ports_may_be_asked_for_and_the_setting_goes_before_the_file(tmp_path):
    known = load("here", None, None, tmp_path)
    found = ports("qn-general@127.0.0.1:0, san-nhi@127.0.0.1:0", known, None, None)
    assert [port.hospital for port in found] == ["qn-general", "san-nhi"]
    (port,) = ports("fourth@127.0.0.1:2000", directory_of(tmp_path, "0.0.0.0:2576"), None, None)
    assert (port.number, port.door.clients) == (2000, ("engine.fourth",))


@pytest.mark.parametrize("known", [(None, None), ("server.pem", None)])
def test_beyond_the_loopback_address_clients_must_show_a_certificate(tmp_path, known):
    certificate, ca = (Path(name) if name else None for name in known)
    with pytest.raises(BadRequest, match="authority of the clients"):
        ports("qn-general@0.0.0.0:2575", load("here", None, None, tmp_path), certificate, ca)


def test_a_certificate_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(Unavailable, match="cannot be read"):
        server_context(tmp_path / "missing.pem", None)
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(Unavailable, match="cannot be read"):
        server_context(tmp_path / "empty.pem", None)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("[mllp]\ncertificate = 'x'", "lacks listen"),
        ("[mllp]\nlisten = '127.0.0.1:1'\nclient = 'x'", "has no client"),
        ("[quirks]\nacknowledgement = 'extended'", "acknowledgement is one of"),
    ],
)
def test_a_slip_in_the_hospital_s_file_is_named(tmp_path, lines, words):
    text = 'name = "x"\ntitle = "x"\nfacility_code = "1"\nadapters = ["hl7v2"]\n'
    (tmp_path / "x.toml").write_text(text + lines)
    with pytest.raises(Problem, match=words):
        load("here", None, tmp_path, tmp_path / "partners")
