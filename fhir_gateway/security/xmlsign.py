"""The facility's signature over a national file (CHUKYDONVI): whose it is, and whether it covers what is read.

https://www.w3.org/TR/xmldsig-core1/
https://www.w3.org/TR/xmldsig-bestpractices/

Accepted: one signature, RSA or ECDSA with SHA-256 or more, over the whole file (enveloped) or over its records by their
Id (detached within the file), transformed by nothing but the removal of the signature and canonicalisation. A reference
to anything else is how signatures are wrapped: the file is then invalid, whatever its digests say.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum

from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidCertificate, InvalidDigest, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from fhir_gateway.problem import Unprocessable
from fhir_gateway.security.seal import UnknownKeyError, vouched

DS = "{http://www.w3.org/2000/09/xmldsig#}"
HOLDER, INNER = "CHUKYDONVI", "NOIDUNGFILE"
#: The records of a claim, and of a check-in, which is signed and sent without the envelope.
CONTENTS = frozenset({"THONGTINHOSO", "DSACH_TRANG_THAI_KCB"})
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
CANONICAL = frozenset(
    {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2006/12/xml-c14n11#WithComments",
    }
)
#: Most files have the element and nothing in it: that is seen without reading them.
EMPTY = re.compile(rb"<CHUKYDONVI\s*(?:/>|>\s*</CHUKYDONVI>)")
STRONG = ("SHA256", "SHA384", "SHA512")
METHODS = frozenset(
    method
    for method in SignatureMethod
    if any(digest in method.name for digest in STRONG) and not method.name.startswith(("HMAC", "DSA"))
)
DIGESTS = frozenset(digest for digest in DigestAlgorithm if digest.name in STRONG)

Element = etree._Element


class State(StrEnum):
    """What a signature is worth. ``unknown``: it fits the file, but nobody here vouches for who made it."""

    ABSENT = "absent"
    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown-signer"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, in words that hold no patient data. ``signed`` is the time the signature states, if it does.
    ``checked`` is the time for which it was found.

    ``signature`` is the signature element itself, in base64, as a Provenance keeps it.
    """

    state: State
    reason: str = ""
    signer: str = ""
    organization: str = ""
    serial: str = ""
    algorithm: str = ""
    covers: str = ""
    signed: str = ""
    checked: str = ""
    signature: str = ""

    def content(self) -> dict[str, str]:
        """What a receipt says of it: all that is filled but the signature itself."""
        rows = {part.name: str(getattr(self, part.name)) for part in fields(self) if part.name != "signature"}
        return {name: value for name, value in rows.items() if value}


class UnfitError(Exception):
    """Why a signature is invalid."""


def examine(body: bytes, roots: Iterable[bytes], at: datetime) -> Verdict:
    """Look at the signature of a file. ``roots`` are PEM certificates of authorities, or of the signer itself.

    Certificates must be valid ``at`` the time of receipt.
    """
    verdict = _examined(body, roots, at)
    return verdict if verdict.state is State.ABSENT else replace(verdict, checked=at.isoformat(timespec="seconds"))


def _examined(body: bytes, roots: Iterable[bytes], at: datetime) -> Verdict:
    if HOLDER.encode() not in body or (EMPTY.search(body) and b"SignatureValue" not in body):
        return Verdict(State.ABSENT)
    try:
        root = _parsed(body)
    except (etree.XMLSyntaxError, UnfitError):
        return Verdict(State.INVALID, "the file cannot be read")
    holders = [child for child in root if _name(child) == HOLDER]
    if not any(len(holder) or (holder.text or "").strip() for holder in holders):
        return Verdict(State.ABSENT)
    try:
        signature = _sole(root, holders)
        covers = _covered(root, signature)
        if not _certificates(signature):
            return Verdict(State.UNKNOWN, "no certificate in the signature", covers=covers)
        _check_digests(root, signature, at)
    except UnfitError as fault:
        return Verdict(State.INVALID, str(fault))
    return _vouched(signature, covers, roots, at)


def _parsed(body: bytes) -> Element:
    """Comments and instructions stay: they may be signed. Nothing is resolved, and a DTD is refused."""
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    root = etree.fromstring(body.removeprefix(b"\xef\xbb\xbf").lstrip(), parser)
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnfitError("a DTD")
    return root


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _within(element: Element, name: str) -> bool:
    return any(_name(parent) == name for parent in element.iterancestors())


def _sole(root: Element, holders: list[Element]) -> Element:
    """The one signature, a child of the one CHUKYDONVI."""
    found = [s for s in root.iter(f"{DS}Signature") if not _within(s, INNER) and not _within(s, "Signature")]
    if len(holders) != 1 or len(found) != 1 or found[0].getparent() is not holders[0]:
        raise UnfitError(f"{len(found)} XML signatures in the file; one is expected, in {HOLDER}")
    return found[0]


def _covered(root: Element, signature: Element) -> str:
    """What the signature covers: the whole file or its records. Every other reference stays within the signature."""
    covers = ""
    for reference in signature.findall(f"{DS}SignedInfo/{DS}Reference"):
        target = _target(root, reference.get("URI"))
        if target is root or (_name(target) in CONTENTS and target.getparent() is root):
            covers = _name(target) if not covers or target is root else covers
            _check_transforms(reference, whole=target is root)
        elif signature not in target.iterancestors():
            raise UnfitError("it refers to a part of the file other than the records")
    if not covers:
        raise UnfitError("it covers no records")
    return covers


def _target(root: Element, uri: str | None) -> Element:
    if uri == "":
        return root
    if not uri or not uri.startswith("#") or "(" in uri:
        raise UnfitError("it refers to something outside the file")
    named = [
        element
        for element in root.iter(etree.Element)
        for name, value in element.attrib.items()
        if value == uri[1:] and str(name).rpartition("}")[2].lower() == "id"
    ]
    if len(named) != 1:
        raise UnfitError(f"{len(named)} elements have the Id that it refers to")
    return named[0]


def _check_transforms(reference: Element, *, whole: bool) -> None:
    used = {transform.get("Algorithm") for transform in reference.iter(f"{DS}Transform")}
    if used - CANONICAL - {ENVELOPED}:
        raise UnfitError("a transformation that is not accepted")
    if whole and ENVELOPED not in used:
        raise UnfitError("it covers itself")


def _check_digests(root: Element, signature: Element, at: datetime) -> None:
    """Digests and signature value fit. The certificate inside is taken for now; who vouches for it comes after."""
    expected = SignatureConfiguration(
        location=f"./{{*}}{HOLDER}/",
        expect_references=True,
        signature_methods=METHODS,
        digest_algorithms=DIGESTS,
        verification_time=at,
        # What the standard takes where a reference names no canonicalisation.
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    pem = f"-----BEGIN CERTIFICATE-----\n{b64encode(_certificates(signature)[0]).decode()}\n-----END CERTIFICATE-----\n"
    try:
        XMLVerifier().verify(etree.tostring(root), x509_cert=pem, expect_config=expected)
    except InvalidDigest:
        raise UnfitError("the file was changed after it was signed") from None
    except InvalidCertificate:
        raise UnfitError("the certificate is not valid at the time of receipt") from None
    except UnknownKeyError:
        raise UnfitError("the certificate's key is of no kind that is known") from None
    except (SignXMLException, etree.LxmlError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError):
        raise UnfitError("the signature does not fit, or its algorithm is not accepted (SHA-256 or more is)") from None


def _certificates(signature: Element) -> list[bytes]:
    found = []
    for element in signature.iterfind(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate"):
        try:
            found.append(b64decode("".join((element.text or "").split()), validate=True))
        except NotBase64:
            raise UnfitError("the certificate cannot be read") from None
    return found


def _vouched(signature: Element, covers: str, roots: Iterable[bytes], at: datetime) -> Verdict:
    chain = _certificates(signature)
    state, reason = State.VALID, ""
    try:
        who = vouched(chain, (), at, check=False)
    except Unprocessable as fault:
        return Verdict(State.INVALID, fault.text)
    except (ValueError, UnknownKeyError):
        # Its parts are read when they are asked for.
        return Verdict(State.INVALID, "the certificate cannot be read")
    try:
        vouched(chain, tuple(roots), at)
    except Unprocessable as fault:
        state, reason = State.UNKNOWN, fault.text
    return Verdict(
        state,
        reason,
        signer=who.name,
        organization=who.organization,
        serial=who.serial,
        algorithm=_algorithm(signature),
        covers=covers,
        signed=_stated_time(signature),
        signature=b64encode(etree.tostring(signature, with_tail=False)).decode(),
    )


def _algorithm(signature: Element) -> str:
    method = signature.find(f"{DS}SignedInfo/{DS}SignatureMethod")
    return (method.get("Algorithm") or "").rpartition("#")[2] if method is not None else ""


def _stated_time(signature: Element) -> str:
    """The time that the signature states, as an instant; empty without one, or without its zone."""
    texts = [element.text or "" for element in signature.iter(etree.Element) if _name(element) == "SigningTime"]
    try:
        when = datetime.fromisoformat(texts[0].strip()) if texts else None
    except ValueError:
        return ""
    return when.isoformat(timespec="seconds") if when is not None and when.tzinfo is not None else ""
