import multiprocessing
import stat
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from fhir_gateway.problem import NotFound, Unavailable, Unprocessable
from fhir_gateway.security.keys import DEVELOPMENT, KeyRing


def _use_everything(ring: KeyRing) -> None:
    ring.public_keys()
    ring.cursor_secret  # noqa: B018 - reading it makes it
    ring.gateway  # noqa: B018
    ring.facility("22T01")
    ring.practitioner("0001234/BYT-CCHN")
    ring.client("qn-general")


def _fingerprints(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _start_a_gateway(folder: Path, barrier: object, answers: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    ring = KeyRing(folder, "quang-ninh")
    _use_everything(ring)
    signer, doctor = ring.gateway, ring.practitioner("0001234/BYT-CCHN")
    answers.put(  # type: ignore[attr-defined]
        (ring.tokens.kid, ring.encryption.kid, ring.cursor_secret, ring.authority, signer.chain, doctor.chain)
    )


def test_every_file_is_for_its_owner_only(empty_folder: Path) -> None:
    _use_everything(KeyRing(empty_folder, "quang-ninh"))
    modes = {stat.S_IMODE(p.stat().st_mode) for p in empty_folder.rglob("*") if p.is_file()}
    folders = {stat.S_IMODE(p.stat().st_mode) for p in [empty_folder, *empty_folder.rglob("*")] if p.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_a_second_start_finds_the_same_keys(empty_folder: Path) -> None:
    _use_everything(KeyRing(empty_folder, "quang-ninh"))
    before = _fingerprints(empty_folder)
    _use_everything(KeyRing(empty_folder, "quang-ninh"))
    assert _fingerprints(empty_folder) == before


def test_two_processes_that_start_at_once_end_with_the_same_keys(empty_folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(2), spawn.Queue()
    starts = [spawn.Process(target=_start_a_gateway, args=(empty_folder, barrier, answers)) for _ in range(2)]
    for process in starts:
        process.start()
    first, second = answers.get(timeout=30), answers.get(timeout=30)
    for process in starts:
        process.join()
    assert first == second
    assert not list(empty_folder.rglob(".*"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_others_may_read_is_refused(empty_folder: Path, mode: int) -> None:
    ring = KeyRing(empty_folder, "quang-ninh")
    ring.tokens  # noqa: B018
    (empty_folder / "token.pem").chmod(mode)
    with pytest.raises(Unavailable, match="chmod 600"):
        KeyRing(empty_folder, "quang-ninh").tokens  # noqa: B018


def test_a_key_folder_others_may_enter_is_refused(empty_folder: Path) -> None:
    empty_folder.mkdir(parents=True)
    empty_folder.chmod(0o750)
    with pytest.raises(Unavailable, match="chmod 700"):
        KeyRing(empty_folder, "quang-ninh")


def test_without_development_no_key_is_made(empty_folder: Path) -> None:
    ring = KeyRing(empty_folder, "quang-ninh", development=False)
    with pytest.raises(Unavailable, match=r"token\.pem is missing"):
        ring.tokens  # noqa: B018
    assert list(empty_folder.iterdir()) == []


def test_a_key_put_there_by_hand_is_used(empty_folder: Path) -> None:
    empty_folder.mkdir(parents=True, mode=0o700)
    own = ECKey.generate_key("P-384")
    (empty_folder / "token.pem").write_bytes(own.as_pem(private=True))
    (empty_folder / "token.pem").chmod(0o600)
    assert KeyRing(empty_folder, "quang-ninh", development=False).tokens.thumbprint() == own.thumbprint()


@pytest.mark.parametrize("content", [b"", b"not a key", ECKey.generate_key("P-256").as_pem(private=True)])
def test_a_file_without_a_usable_key_says_so(empty_folder: Path, content: bytes) -> None:
    ring = KeyRing(empty_folder, "quang-ninh")
    (empty_folder / "token.pem").write_bytes(content)
    (empty_folder / "token.pem").chmod(0o600)
    with pytest.raises(Unavailable, match="key"):
        ring.tokens  # noqa: B018


def test_what_is_published_holds_no_private_part(ring: KeyRing) -> None:
    published = ring.public_keys()
    assert all("d" not in key and key["crv"] == "P-384" for key in published["keys"])
    assert [key["use"] for key in published["keys"]] == ["sig", "sig", "enc"]
    assert len({ECKey.import_key(key).thumbprint() for key in published["keys"]}) == 3
    assert b"PRIVATE" not in ring.authority
    assert "d" not in ring.client_keys("doctor")["keys"][0]


def test_development_certificates_say_so_loudly(ring: KeyRing) -> None:
    for signer in (ring.gateway, ring.facility("22T01"), ring.practitioner("012345/QN-CCHN")):
        assert DEVELOPMENT.encode() in signer.chain[0]


def test_one_licence_always_gets_one_key_and_another_licence_another(ring: KeyRing) -> None:
    assert ring.practitioner("012345/QN-CCHN") == ring.practitioner("012345/QN-CCHN")
    assert ring.practitioner("012345/QN-CCHN").key.kid != ring.practitioner("012346/QN-CCHN").key.kid


@pytest.mark.parametrize("licence", ["", "  "])
def test_a_signer_without_a_code_is_refused(ring: KeyRing, licence: str) -> None:
    with pytest.raises(Unprocessable):
        ring.practitioner(licence)


@pytest.mark.parametrize("licence", ["../../escape", "đ" * 255, "a/b\\c\x00d", "x" * 64, "x" * 65])
def test_any_licence_text_gets_a_key_inside_the_folder(ring: KeyRing, licence: str) -> None:
    before = set(ring.folder.parent.rglob("*"))
    ring.practitioner(licence)
    made = set(ring.folder.parent.rglob("*")) - before - {ring.folder / "practitioners"}
    assert all(file.parent == ring.folder / "practitioners" for file in made)


@pytest.mark.parametrize("name", ["../token", "", "Admin", "a" * 80])
def test_a_client_name_cannot_lead_out_of_its_folder(ring: KeyRing, name: str) -> None:
    with pytest.raises(NotFound):
        ring.client(name)
