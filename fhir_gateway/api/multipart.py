"""The parts of a form with files, as some systems and many tools send what others put into a plain form.

https://www.rfc-editor.org/rfc/rfc7578
"""

from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import HTTP

from fhir_gateway.problem import BadRequest

MEDIA_TYPE = "multipart/form-data"
MOST_PARTS = 100


def parts(content_type: str, content: bytes) -> list[tuple[str, bytes]]:
    """Name and bytes of each part, in their order. Raises BadRequest for what is no such form."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace")
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + content)
    found = list(message.iter_parts()) if message.is_multipart() else []
    if not found or message.defects or len(found) > MOST_PARTS:
        raise BadRequest(f"not a {MEDIA_TYPE} of up to {MOST_PARTS} parts, or cut off", "body")
    return [(_name(part), _bytes(part)) for part in found]


def _name(part: MIMEPart) -> str:
    return str(part.get_param("name", "", header="content-disposition"))


def _bytes(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
