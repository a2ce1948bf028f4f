"""The door that is called like the national insurance gateway, so that a hospital's system changes only an address.

https://egw.baohiemxahoi.gov.vn (BHXH Việt Nam: guide to the web services of decisions 130, 4750 and 3176)

A token for user name and MD5 of the password, then the file in base64. The answer is always HTTP 200 with
``maKetQua``, as there; only a gateway that is behind answers 503, so that the file is sent again.
"""

import asyncio
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from starlette.routing import Route

from fhir_gateway.api import multipart
from fhir_gateway.api.answer import RETRY_SECONDS, Answer
from fhir_gateway.api.door import Act, Action, Asked, Door
from fhir_gateway.api.negotiation import arguments, body
from fhir_gateway.api.services import Services
from fhir_gateway.exchange.directory import Directory
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.reception import Handed, Reception
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import BadRequest, Forbidden, Problem, Unauthenticated, Unavailable
from fhir_gateway.records import journal
from fhir_gateway.security.access import may_ingest
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.password import fits

log = structlog.get_logger("fhir_gateway.access")
JSON, XML = "application/json", "application/xml"
TAKE = "/api/token/take"
CALLS = tuple(
    f"/api/qd130/{call}"
    for call in (
        *(f"guiHoSoXmlQD{decision}" for decision in (130, 4750, 3176)),
        *(f"checkInKcbQd{decision}" for decision in (130, 4750, 3176)),
    )
)
SCOPE = "system/Bundle.c"
# The gateway's own word: systems compare it letter by letter.
TAKEN = "Tiếp nhận thành công"
FORM_BYTES = 16 * 1024
TRIES, TRIES_SECONDS = 10, 60.0
# What a status of ours is called there; anything else is 500, an error of the receiver.
CODES = {400: "205", 401: "401", 403: "403", 404: "403", 413: "1001", 415: "205", 422: "123"}


@dataclass(slots=True)
class InsuranceDoor:
    """The calls of the insurance gateway, on the inbox that all doors share."""

    reception: Reception
    wait_seconds: float
    _failed: dict[str, list[float]] = field(default_factory=dict)

    def routes(self, services: Services) -> list[Route]:
        """None where no hospital's file has an account."""
        if not any(doors.portal for doors in self.reception.house.directory.doors.values()):
            return []
        acts: dict[str, tuple[str, Act]] = {TAKE: ("login", self.take), **dict.fromkeys(CALLS, ("ingest", self.send))}
        return [
            Route(path, Door(services, path, {"POST": Action(name, act, raw=True)}, anonymous=True))
            for path, (name, act) in acts.items()
        ]

    async def take(self, services: Services, asked: Asked) -> Answer:
        """``/api/token/take``: a token for user name and password."""
        try:
            given = await _fields(asked, FORM_BYTES)
            hospital = await self._proved(given.get("username", ""), given.get("password", ""))
        except Problem as problem:
            log.warning("token refused", request=asked.visit.request, error=problem.text)
            return _refusal(problem)
        token = services.tokens.granted(hospital, SCOPE)
        caller = services.tokens.caller(f"Bearer {token}")
        await journal.record(services.desk, replace(asked.visit, caller=caller), "login")
        until = services.desk.now() + timedelta(seconds=services.tokens.seconds)
        key = {
            "access_token": token,
            "id_token": str(uuid4()),
            "token_type": "Bearer",
            "username": given["username"],
            "expires_in": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return _json({"maKetQua": "200", "APIKey": key})

    async def _proved(self, username: str, password: str) -> str:
        """The hospital whose account it is. Raises Unauthenticated."""
        hospital, kept = _accounts(self.reception.house.directory).get(username, ("", ""))
        tries = [t for t in self._failed.get(hospital, []) if time.monotonic() - t < TRIES_SECONDS]
        if len(tries) >= TRIES:
            raise Unauthenticated("sai tên đăng nhập hoặc mật khẩu quá nhiều lần", "username")
        if not await asyncio.to_thread(fits, password, kept):
            self._failed[hospital] = [*tries, time.monotonic()] if hospital else []
            raise Unauthenticated("sai tên đăng nhập hoặc mật khẩu", "username")
        return hospital

    async def send(self, services: Services, asked: Asked) -> Answer:
        """A file of decision 130, 4750 or 3176, or a check-in: kept like any message."""
        try:
            caller = services.tokens.caller(f"Bearer {_token(asked)}")
        except Unauthenticated:
            return _refusal(Unauthenticated("phiên làm việc không hợp lệ hoặc đã hết hạn", "accessToken"))
        try:
            receipt = await self._taken(caller, asked)
        except Unavailable as problem:
            return _refusal(problem)
        except Problem as problem:
            await journal.record(services.desk, replace(asked.visit, caller=caller), "ingest", status=problem.status)
            return _refusal(problem)
        return _json(_shape(receipt, self.reception.house.directory.hospital(receipt.hospital).offset))

    async def _taken(self, caller: Caller, asked: Asked) -> Receipt:
        hospital = self.reception.house.directory.hospital(caller.organization)
        may_ingest(caller, hospital.name)
        await self.reception.backlog.admit(hospital.name)
        limit = self.reception.inbox.limit
        given = await _fields(asked, 2 * limit + FORM_BYTES)
        self._check(given, hospital.name, hospital.facility_code)
        content = _content(given.get("filehsbase64") or given.get("filehs") or "")
        handed = Handed(hospital.name, XML, content, asked.visit.request, asked.visit.address)
        receipt, _ = await self.reception.accept(caller, handed, self.wait_seconds)
        return receipt

    def _check(self, given: Mapping[str, str], hospital: str, facility: str) -> None:
        named = given.get("username")
        if named and _accounts(self.reception.house.directory).get(named, ("",))[0] != hospital:
            raise Forbidden("username không phải của phiên làm việc này", "username")
        if not given.get("macskcb"):
            raise BadRequest("thiếu maCSKCB", "maCSKCB")
        if given["macskcb"] != facility:
            raise Forbidden("maCSKCB không phải của tài khoản này", "maCSKCB")


def _accounts(known: Directory) -> dict[str, tuple[str, str]]:
    """User name to hospital and password hash."""
    doors = known.doors.items()
    return {d.portal.username: (hospital, d.portal.password) for hospital, d in doors if d.portal is not None}


async def _fields(asked: Asked, limit: int) -> dict[str, str]:
    """The fields of a JSON object or of a form, by their names in lower case: systems send any of them."""
    content = await body(asked.request, limit)
    kind = asked.headers.get("content-type", "")
    if kind.lower().startswith(multipart.MEDIA_TYPE):
        pairs = [(name, _field(part)) for name, part in multipart.parts(kind, content)]
    elif content.lstrip()[:1] == b"{":
        found = decode(content)
        pairs = list(found.items()) if isinstance(found, dict) else []
    else:
        pairs = list(arguments(content.strip(), 100))
    return {str(name).lower(): str(value) for name, value in pairs if value is not None}


def _field(part: bytes) -> str:
    """A part of a form with files: the file may stand there as it is, without base64."""
    if part.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        return b64encode(part).decode()
    return part.decode("utf-8", "replace").strip()


def _token(asked: Asked) -> str:
    """The gateway takes it from a header of its own; others send it as a bearer token."""
    bearer = asked.headers.get("authorization", "").removeprefix("Bearer ").removeprefix("bearer ")
    return asked.headers.get("accesstoken") or asked.headers.get("access_token") or bearer


def _content(text: str) -> bytes:
    """The file. A plus that was not encoded in a form arrives as a space."""
    try:
        content = b64decode("".join(text.replace(" ", "+").split()), validate=True)
    except (NotBase64, ValueError) as fault:
        raise BadRequest("fileHSBase64 không phải là base64", "fileHSBase64") from fault
    if not content.strip():
        raise BadRequest("fileHSBase64 để trống", "fileHSBase64")
    return content


def _shape(receipt: Receipt, offset: str) -> dict[str, str]:
    """The receipt as hospitals know it; ``maGiaoDich`` is the receipt number of ``/ingest/{hospital}/{receipt}``."""
    code, text = "200", TAKEN
    if receipt.state is State.QUARANTINED:
        code, text = "123", "; ".join(f"{p['where']}: {p['text']}" for p in receipt.problems)
    return _reply(code, receipt.receipt, _local(receipt.received, offset), text)


def _local(moment: str, offset: str) -> str:
    zone = datetime.strptime(offset, "%z").tzinfo
    return datetime.fromisoformat(moment).astimezone(zone).strftime("%Y%m%d%H%M%S")


def _reply(code: str, number: str, moment: str, text: str) -> dict[str, str]:
    return {"maKetQua": code, "maGiaoDich": number, "thoiGianTiepNhan": moment, "thongDiep": text}


def _refusal(problem: Problem) -> Answer:
    told = _reply(CODES.get(problem.status, "500"), "", "", problem.text)
    if isinstance(problem, Unavailable):
        return _json(told, problem.status, (("retry-after", RETRY_SECONDS),))
    return _json(told)


def _json(content: Mapping[str, Any], status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, encode(content), (("cache-control", "no-store"), *headers), JSON)
