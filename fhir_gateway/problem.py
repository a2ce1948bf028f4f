"""Every way to fail: one tree, each branch with its HTTP status and OperationOutcome code.

https://hl7.org/fhir/R4/valueset-issue-type.html

    Problem                     500 exception
    ├── Malformed               400 structure       bytes that are not JSON, not XML, not a resource
    ├── Unprocessable           422 processing      a resource that is understood and refused
    │   └── Invalid             422 invalid         does not conform to R4
    ├── BadRequest              400 invalid         a parameter, header or argument that makes no sense
    │   └── NotSupported        400 not-supported   legal FHIR that this server does not offer
    ├── Unauthenticated         401 login
    ├── Forbidden               403 forbidden
    ├── NotFound                404 not-found
    ├── NotAllowed              405 not-supported
    ├── NotAcceptable           406 not-supported
    ├── TooSlow                 408 timeout         a request that does not come to its end
    ├── Conflict                409 conflict        another writer was first
    │   ├── Claimed             409 duplicate       a business identifier has an owner already
    │   └── IllegalMove         409 business-rule   the workflow has no such move from here
    ├── Gone                    410 deleted
    ├── PreconditionFailed      412 conflict        If-Match, or a condition met by several resources
    ├── TooLarge                413 too-long
    │   └── HeadTooLarge        431 too-long
    ├── UnsupportedMedia        415 not-supported
    ├── TooCostly               403 too-costly
    └── Unavailable             503 transient       the database or a partner does not answer

No text here may hold patient data: it names the place and the rule, never the value of a record.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """One OperationOutcome.issue: ``where`` is a FHIRPath, segment-field, XPath or parameter name."""

    text: str
    where: str | None = None
    code: str = "invalid"
    severity: str = "error"


class Problem(Exception):  # noqa: N818 - the tree's own root word
    """The root. Raise a child; ``where`` names the place, ``issues`` lists several faults at once."""

    status = 500
    code = "exception"

    def __init__(self, text: str, where: str | None = None, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.issues = issues or (Issue(text, where, self.code),)


class Malformed(Problem):
    status, code = 400, "structure"


class Unprocessable(Problem):
    status, code = 422, "processing"


class Invalid(Unprocessable):
    status, code = 422, "invalid"


class BadRequest(Problem):
    status, code = 400, "invalid"


class NotSupported(BadRequest):
    status, code = 400, "not-supported"


class Unauthenticated(Problem):
    status, code = 401, "login"


class Forbidden(Problem):
    status, code = 403, "forbidden"


class NotFound(Problem):
    status, code = 404, "not-found"


class NotAllowed(Problem):
    status, code = 405, "not-supported"


class NotAcceptable(Problem):
    status, code = 406, "not-supported"


class TooSlow(Problem):
    status, code = 408, "timeout"


class Conflict(Problem):
    status, code = 409, "conflict"


class Claimed(Conflict):
    """``owner`` is the ``Type/id`` that holds the claimed ``key``."""

    status, code = 409, "duplicate"

    def __init__(self, key: str, owner: str) -> None:
        super().__init__("a business identifier is already claimed by another resource")
        self.key = key
        self.owner = owner


class IllegalMove(Conflict):
    status, code = 409, "business-rule"


class Gone(Problem):
    status, code = 410, "deleted"


class PreconditionFailed(Problem):
    status, code = 412, "conflict"


class TooLarge(Problem):
    status, code = 413, "too-long"


class HeadTooLarge(TooLarge):
    status, code = 431, "too-long"


class UnsupportedMedia(Problem):
    status, code = 415, "not-supported"


class TooCostly(Problem):
    status, code = 403, "too-costly"


class Unavailable(Problem):
    status, code = 503, "transient"
