"""Passwords as the insurance gateway's clients send them, and the hash that is kept of them."""

import hashlib

from fhir_gateway.security.password import as_sent, fits, hashed


def test_a_password_and_its_md5_in_either_case_are_the_same():
    md5 = hashlib.md5(b"matkhau").hexdigest()
    kept = hashed("matkhau")
    assert as_sent("matkhau") == md5.upper() == as_sent(md5)
    assert fits("matkhau", kept)
    assert fits(md5, kept)
    assert fits(md5.upper(), kept)


def test_another_password_does_not_fit():
    assert not fits("Matkhau", hashed("matkhau"))
    assert not fits("", hashed("matkhau"))


def test_two_hashes_of_one_password_differ_and_neither_holds_it():
    first, second = hashed("matkhau"), hashed("matkhau")
    assert first != second
    assert "matkhau" not in first
    assert as_sent("matkhau") not in first


def test_what_is_no_hash_fits_nothing():
    for kept in ("", "matkhau", "scrypt$", "scrypt$!$!", hashed("matkhau").replace("scrypt", "plain")):
        assert not fits("matkhau", kept)
