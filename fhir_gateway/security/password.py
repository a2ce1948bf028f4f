"""Passwords of systems that know nothing better: kept as a salted scrypt hash, compared without telling by its time.

https://www.rfc-editor.org/rfc/rfc7914
"""

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode

SCHEME = "scrypt"
COST, BLOCK, LANES, SALT_BYTES = 2**14, 8, 1, 16
MD5 = re.compile(r"[0-9A-Fa-f]{32}")


def as_sent(password: str) -> str:
    """What the insurance gateway's clients send in place of a password: its MD5 in upper case."""
    if MD5.fullmatch(password):
        return password.upper()
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()


def hashed(password: str) -> str:
    """The line to keep in a hospital's file."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"{SCHEME}${_text(salt)}${_text(_derived(as_sent(password), salt))}"


def fits(password: str, kept: str) -> bool:
    """Whether the password is the one whose hash is kept; it takes the same time when nothing readable is kept."""
    scheme, _, rest = kept.partition("$")
    salt, _, digest = rest.partition("$")
    try:
        known, wanted = b64decode(salt, validate=True), b64decode(digest, validate=True)
    except ValueError:
        known, wanted = b"", b""
    found = _derived(as_sent(password), known or b"-" * SALT_BYTES)
    return hmac.compare_digest(found, wanted) and scheme == SCHEME


def _derived(text: str, salt: bytes) -> bytes:
    return hashlib.scrypt(text.encode(), salt=salt, n=COST, r=BLOCK, p=LANES)


def _text(content: bytes) -> str:
    return b64encode(content).decode()
