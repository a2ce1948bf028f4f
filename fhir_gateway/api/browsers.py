"""Web applications that a browser may let call this gateway, by the origins that the operator named.

https://hl7.org/fhir/R4/security.html#cors
"""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What FHIR says in headers and a browser hides from a script unless it is named.
SHOWN = (
    "Content-Location",
    "ETag",
    "Expires",
    "Last-Modified",
    "Location",
    "Retry-After",
    "X-Progress",
    "X-Request-Id",
)
EVERY = "*"
PREFLIGHT_SECONDS = 600


def origins(text: str) -> tuple[str, ...]:
    """``https://app.hospital.vn,https://other.example`` one by one."""
    return tuple(part for part in (part.strip().rstrip("/") for part in text.split(",")) if part)


def open_to(app: ASGIApp, allowed: tuple[str, ...]) -> ASGIApp:
    """The application, which tells browsers whose scripts may call it; itself where there are none.

    No cookies are involved: whoever calls brings a token, which a foreign page does not have.
    """
    if not allowed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=allowed,
        allow_methods=METHODS,
        allow_headers=(EVERY,),
        expose_headers=SHOWN,
        max_age=PREFLIGHT_SECONDS,
    )
