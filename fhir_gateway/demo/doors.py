"""The doors of a gateway as its users see them: HTTP with a token, MLLP. Standard library only."""

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

START, END = b"\x0b", b"\x1c\r"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and JSON body of an answer."""

    status: int
    body: Any

    @property
    def text(self) -> str:
        """What an OperationOutcome says."""
        issues = self.body.get("issue", []) if isinstance(self.body, dict) else []
        return "; ".join(str(issue.get("diagnostics", issue.get("code"))) for issue in issues)


@dataclass(frozen=True, slots=True)
class Http:
    """One client of one gateway."""

    url: str
    token: str

    def get(self, path: str) -> Reply:
        return self._call("GET", path, None, "")

    def post(self, path: str, body: Any, media_type: str = "application/json") -> Reply:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._call("POST", path, content, media_type)

    def ingest(self, hospital: str, media_type: str, body: bytes, wait: bool = True) -> Reply:
        return self.post(f"/ingest/{hospital}" + ("?wait=true" if wait else ""), body, media_type)

    def search(self, query: str) -> list[dict[str, Any]]:
        """The resources of a FHIR search."""
        reply = self.get(f"/fhir/{query}")
        return [entry["resource"] for entry in reply.body.get("entry", [])]

    def _call(self, method: str, path: str, content: bytes | None, media_type: str) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"} | (
            {"Content-Type": media_type} if content is not None else {}
        )
        request = Request(self.url + path, data=content, headers=headers, method=method)  # noqa: S310 - our own loopback
        try:
            with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return Reply(answer.status, _decoded(answer.read()))
        except HTTPError as refusal:
            return Reply(refusal.code, _decoded(refusal.read()))


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content


def mllp(address: str, messages: list[bytes]) -> list[bytes]:
    """Send messages over one MLLP connection; the acknowledgements, in order."""
    host, _, port = address.rpartition(":")
    answers = []
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
        for message in messages:
            connection.sendall(START + message.replace(b"\n", b"\r") + END)
            answers.append(_frame(connection))
    return answers


def _frame(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(END):
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionError("the listener closed the connection before its answer")
        received += chunk
    return received.removeprefix(START).removesuffix(END)


def segments(acknowledgement: bytes) -> dict[str, list[str]]:
    """The last segment of each name, split at ``|``."""
    rows = [row.split("|") for row in acknowledgement.decode().split("\r") if row]
    return {row[0]: row for row in rows}


def until(question: Any, seconds: float = 30.0) -> Any:
    """Ask again until the answer is true; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        answer = _tried(question)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(getattr(question, "__name__", "the awaited state") + " did not come about")
        time.sleep(0.05)


def _tried(question: Any) -> Any:
    try:
        return question()
    except (URLError, ConnectionError):
        return None


def states(rows: list[Mapping[str, Any]]) -> dict[str, int]:
    """How many rows are in which state."""
    found: dict[str, int] = {}
    for row in rows:
        found[row["state"]] = found.get(row["state"], 0) + 1
    return found
