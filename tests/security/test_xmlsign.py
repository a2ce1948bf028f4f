"""Signatures of national files: what fits and is vouched for, and every way in which it does not."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import SignatureConstructionMethod, XMLSigner
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.xades import XAdESDataObjectFormat, XAdESSigner

from fhir_gateway.security.xmlsign import State, examine

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
FILE = (
    '<GIAMDINHHS><THONGTINDONVI><MACSKCB>22T02</MACSKCB></THONGTINDONVI><THONGTINHOSO Id="records"><DANHSACHHOSO>'
    "<HOSO><FILEHOSO><LOAIHOSO>XML1</LOAIHOSO><NOIDUNGFILE>PFg+MTwvWD4=</NOIDUNGFILE></FILEHOSO></HOSO>"
    "</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI>{}</CHUKYDONVI></GIAMDINHHS>"
)
PLACEHOLDER = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"></ds:Signature>'


def certificate(key, issuer=None, issuer_key=None, *, days=3650, authority=False):
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "BỆNH VIỆN THỬ" if not authority else "CA THỬ"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sở Y tế Thử"),
            x509.NameAttribute(NameOID.USER_ID, "CCCD:022994009002"),
        ]
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    build = x509.CertificateBuilder().subject_name(name).issuer_name(issuer.subject if issuer else name)
    build = build.public_key(key.public_key()).serial_number(7 + authority)
    build = build.not_valid_before(start).not_valid_after(start + timedelta(days=days))
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    build = build.add_extension(x509.BasicConstraints(authority, None), critical=True)
    build = build.add_extension(
        x509.KeyUsage(
            digital_signature=not authority,
            content_commitment=not authority,
            key_cert_sign=authority,
            crl_sign=authority,
            **usage,
        ),
        critical=True,
    )
    parent = (issuer_key or key).public_key()
    build = build.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    build = build.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(parent), critical=False)
    return build.sign(issuer_key or key, hashes.SHA256())


def pem(certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def authority():
    key = ec.generate_private_key(ec.SECP256R1())
    return certificate(key, authority=True), key


@pytest.fixture(scope="module", params=["rsa", "ecdsa"])
def signer(request, authority):
    key = rsa.generate_private_key(65537, 2048) if request.param == "rsa" else ec.generate_private_key(ec.SECP256R1())
    return certificate(key, *authority), key


def signed(signer, *, reference=None, digest=DigestAlgorithm.SHA256, method=None, file=FILE) -> bytes:
    own, key = signer
    method = method or (
        SignatureMethod.RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else SignatureMethod.ECDSA_SHA256
    )
    how = SignatureConstructionMethod.enveloped
    maker = XMLSigner(method=how, signature_algorithm=method, digest_algorithm=digest)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    root = etree.fromstring(file.format(PLACEHOLDER))
    return etree.tostring(maker.sign(root, key=private, cert=pem(own).decode(), reference_uri=reference))


def test_a_file_without_signature_is_told_apart():
    assert examine(FILE.format("").encode(), (), NOW).state is State.ABSENT
    assert examine(b"<GIAMDINHHS/>", (), NOW).state is State.ABSENT


@pytest.mark.parametrize(("reference", "covers"), [(None, "GIAMDINHHS"), ("#records", "THONGTINHOSO")])
def test_a_signature_over_the_file_or_its_records_is_valid_and_names_its_signer(signer, authority, reference, covers):
    verdict = examine(signed(signer, reference=reference), [pem(authority[0])], NOW)

    assert (verdict.state, verdict.covers) == (State.VALID, covers)
    assert verdict.content()["signer"] == "BỆNH VIỆN THỬ"
    assert verdict.content()["organization"] == "Sở Y tế Thử"


@pytest.mark.parametrize(("reference", "covers"), [(None, "CHI_TIEU_TRANG_THAI_KCB"), ("#r", "DSACH_TRANG_THAI_KCB")])
def test_a_check_in_is_signed_without_the_envelope(signer, authority, reference, covers):
    file = (
        '<CHI_TIEU_TRANG_THAI_KCB><DSACH_TRANG_THAI_KCB Id="r"><TRANG_THAI_KCB><MA_LK>1</MA_LK></TRANG_THAI_KCB>'
        "</DSACH_TRANG_THAI_KCB><CHUKYDONVI>{}</CHUKYDONVI></CHI_TIEU_TRANG_THAI_KCB>"
    )
    body = signed(signer, reference=reference, file=file)

    assert (examine(body, [pem(authority[0])], NOW).state, examine(body, [], NOW).covers) == (State.VALID, covers)
    assert examine(body.replace(b">1<", b">2<"), [pem(authority[0])], NOW).state is State.INVALID


def test_a_personal_number_in_the_certificate_is_not_repeated(signer, authority):
    assert "022994009002" not in str(examine(signed(signer), [pem(authority[0])], NOW).content())


def test_a_signer_is_trusted_by_its_own_certificate_too(signer):
    assert examine(signed(signer), [pem(signer[0])], NOW).state is State.VALID


def test_a_signer_that_nobody_vouches_for_is_unknown(signer):
    other = certificate(ec.generate_private_key(ec.SECP256R1()), authority=True)

    assert examine(signed(signer), [], NOW).state is State.UNKNOWN
    assert examine(signed(signer), [pem(other)], NOW).state is State.UNKNOWN


@pytest.mark.parametrize(("old", "new"), [(b"22T02", b"22T09"), (b"PFg+MTwvWD4=", b"PFg+MjwvWD4=")])
def test_one_changed_character_makes_it_invalid(signer, authority, old, new):
    verdict = examine(signed(signer).replace(old, new), [pem(authority[0])], NOW)

    assert (verdict.state, verdict.reason) == (State.INVALID, "the file was changed after it was signed")


def test_a_changed_signature_value_makes_it_invalid(signer, authority):
    tree = etree.fromstring(signed(signer))
    value = tree.find(".//{*}SignatureValue")
    value.text = b64encode(b"x" * len(value.text)).decode()

    assert examine(etree.tostring(tree), [pem(authority[0])], NOW).state is State.INVALID


@pytest.mark.parametrize(
    ("parts", "damage", "reason"),
    [
        (("VIỆN".encode(),), b"\xff", "the certificate cannot be read"),
        # What kind of key it has: RSA, elliptic curve.
        ((bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a8648ce3d0201")), b"\x7f", "no kind that is known"),
    ],
)
def test_a_certificate_with_a_damaged_byte_makes_it_invalid(signer, authority, parts, damage, reason):
    own = signer[0].public_bytes(Encoding.DER)
    part = next(part for part in parts if part in own)
    body = signed(signer)
    said = next(row for row in etree.fromstring(body).iter("{*}X509Certificate")).text
    damaged = own.replace(part, part[:-1] + damage)
    verdict = examine(body.replace(said.encode(), b64encode(damaged)), [pem(authority[0])], NOW)
    assert verdict.state is State.INVALID
    assert reason in verdict.reason


def test_signed_records_put_elsewhere_and_others_in_their_place_are_invalid(signer, authority):
    """Signature wrapping: the signed element is kept in a corner, what is read is another one."""
    tree = etree.fromstring(signed(signer, reference="#records"))
    records = tree.find("THONGTINHOSO")
    forged = etree.fromstring(etree.tostring(records).replace(b"PFg+MTwvWD4=", b"PFg+MjwvWD4="))
    tree.replace(records, forged)
    etree.SubElement(tree, "GHICHU").append(records)
    assert examine(etree.tostring(tree), [pem(authority[0])], NOW).state is State.INVALID

    forged.set("Id", "others")
    verdict = examine(etree.tostring(tree), [pem(authority[0])], NOW)
    assert (verdict.state, verdict.reason) == (
        State.INVALID,
        "it refers to a part of the file other than the records",
    )


def test_a_second_signature_is_not_chosen_from(signer, authority):
    body = signed(signer)
    start, end = body.index(b"<ds:Signature"), body.index(b"</CHUKYDONVI>")
    doubled = body[:end] + body[start:end] + body[end:]

    assert examine(doubled, [pem(authority[0])], NOW).state is State.INVALID


def test_a_certificate_that_has_ended_is_invalid(authority):
    key = ec.generate_private_key(ec.SECP256R1())
    ended = certificate(key, *authority, days=30)
    verdict = examine(signed((ended, key)), [pem(authority[0])], NOW)

    assert (verdict.state, verdict.reason) == (
        State.INVALID,
        "the certificate is not valid at the time of receipt",
    )


@pytest.mark.parametrize(
    "change",
    [
        (b"http://www.w3.org/2000/09/xmldsig#enveloped-signature", b"http://www.w3.org/TR/1999/REC-xpath-19991116"),
        (b'URI=""', b'URI="http://example.org/records.xml"'),
        (b'URI=""', b'URI="#xpointer(/)"'),
        (b"xmldsig-more#", b"xmldsig-less#"),
        (b"xmlenc#sha256", b"xmldsig#sha1"),
    ],
)
def test_references_transformations_and_algorithms_that_are_not_accepted_make_it_invalid(signer, authority, change):
    assert examine(signed(signer).replace(*change), [pem(authority[0])], NOW).state is State.INVALID


def test_nothing_outside_the_file_is_ever_read(signer, authority):
    body = signed(signer).replace(
        b"<GIAMDINHHS", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><GIAMDINHHS', 1
    )

    assert examine(body.replace(b"22T02", b"&b;"), [pem(authority[0])], NOW).state is State.INVALID


@pytest.mark.parametrize("content", ["MIIB", "<Signature/>", PLACEHOLDER])
def test_what_is_no_signature_is_invalid(content):
    assert examine(FILE.format(content).encode(), (), NOW).state is State.INVALID


def test_a_signature_that_signs_its_own_properties_beside_the_file_is_valid_and_tells_its_time(signer, authority):
    """XAdES, which the signing tools of the national authorities write: two references, the second to itself."""
    own, key = signer
    method = SignatureMethod.RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else SignatureMethod.ECDSA_SHA256
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    form = XAdESDataObjectFormat(Description="GIAMDINHHS", MimeType="text/xml")
    maker = XAdESSigner(
        data_object_format=form,
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=method,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    )
    body = etree.tostring(maker.sign(etree.fromstring(FILE.format(PLACEHOLDER)), key=private, cert=pem(own).decode()))
    verdict = examine(body, [pem(authority[0])], NOW)

    assert (verdict.state, verdict.covers, verdict.reason) == (State.VALID, "GIAMDINHHS", "")
    assert verdict.signed[:4].isdigit()
    assert verdict.checked == "2026-11-23T08:00:00+00:00"
    changed = body.replace(b"<xades:SigningTime>2", b"<xades:SigningTime>1")
    assert changed == body or examine(changed, [pem(authority[0])], NOW).state is State.INVALID
