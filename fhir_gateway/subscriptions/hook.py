"""The rest-hook: one HTTP request to the address a subscriber named; nothing of the answer matters but its status.

https://hl7.org/fhir/uv/subscriptions-backport/channels.html#rest-hook
"""

import httpx
from anyio import to_thread

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.xml.writing import encode
from fhir_gateway.subscriptions.office import Letter, Undelivered
from fhir_gateway.subscriptions.terms import Terms

CONNECTIONS = 100


class Hook:
    """``Carrier`` over HTTP. Follows no redirect: the address that was allowed is the one that is called."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS)
        self._client = httpx.AsyncClient(transport=transport, limits=limits, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def carry(self, terms: Terms, letter: Letter) -> None:
        headers = dict(terms.headers) | ({"Content-Type": terms.mime} if letter.body else {})
        patience, content = terms.timeout_seconds, letter.body
        if content and terms.in_xml:
            content = await to_thread.run_sync(_in_xml, content)
        try:
            async with self._client.stream(
                letter.method, letter.url, content=content, headers=headers, timeout=patience
            ) as reply:
                status = reply.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise Undelivered(f"the endpoint does not answer: {type(fault).__name__}") from None
        if not 200 <= status < 300:
            raise Undelivered(f"the endpoint answers HTTP {status}")


def _in_xml(body: bytes) -> bytes:
    return encode(decode_resource(body))
