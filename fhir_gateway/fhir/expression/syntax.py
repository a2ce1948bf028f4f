"""The text of a FHIRPath expression as a tree; what is not wholly an expression is none.

https://hl7.org/fhirpath/N1/#grammar
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fhir_gateway.fhir.expression.amounts import CALENDAR, Amount
from fhir_gateway.fhir.expression.moments import Moment, moment

NESTING_LIMIT = 60


class NotFhirPath(ValueError):  # noqa: N818 - what it says, not that it is one
    """The text is no FHIRPath expression, or one that cannot be evaluated on what it was asked of."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; None is the empty collection ``{}``."""

    value: bool | int | Decimal | str | Moment | Amount | None


@dataclass(frozen=True, slots=True)
class Constant:
    """``%resource``, ``%`vs-name` ``."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """``owner.name``, or a name the expression begins with; ``$this`` and its kin too."""

    owner: "Expression | None"
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    owner: "Expression | None"
    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Index:
    owner: "Expression"
    place: "Expression"


@dataclass(frozen=True, slots=True)
class Sign:
    sign: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class TypeTest:
    """``left is type`` or ``left as type``."""

    operator: str
    left: "Expression"
    type: str


Expression = Literal | Constant | Member | Call | Index | Sign | Binary | TypeTest

_DATE = r"\d{4}(?:-\d\d(?:-\d\d)?)?"
_TIME = r"\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?"
_TOKEN = re.compile(
    r"(?P<blank>\s+|//[^\r\n]*|/\*.*?\*/)"
    rf"|@(?P<time>T{_TIME})"
    rf"|@(?P<date>{_DATE}(?:T(?:{_TIME}(?:Z|[+-]\d\d:\d\d)?)?)?)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|'(?P<text>(?:[^'\\]|\\.)*)'"
    r"|`(?P<quoted>(?:[^`\\]|\\.)*)`"
    r"|(?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign><=|>=|!=|!~|[-+*/&|<>=~.,()\[\]{}%])",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}

# From what binds least to what binds most.
_LEVELS = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "~", "!=", "!~"),
    ("<=", "<", ">", ">="),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
    ("*", "/", "div", "mod"),
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


@lru_cache(maxsize=1024)
def read(text: str) -> Expression:
    """The expression. Raises NotFhirPath."""
    reader = _Reader(_tokens(text))
    found = reader.expression(0)
    if reader.peek().kind != "end":
        raise NotFhirPath("there is more than an expression")
    return found


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotFhirPath(f"not an expression at character {position + 1}")
        kind = str(match.lastgroup)
        if kind != "blank":
            found.append(_Token(kind, match[kind]))
        position = match.end()
    return [*found, _Token("end", "")]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else _ESCAPED.get(m[1], m[1]), text)


class _Reader:
    """Reads the tokens once, from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def peek(self) -> _Token:
        return self._tokens[self._at]

    def expression(self, level: int) -> Expression:
        self._depth += 1
        if self._depth > NESTING_LIMIT * len(_LEVELS):
            raise NotFhirPath("the expression is nested too deep")
        found = self._binary(level) if level < len(_LEVELS) else self._signed()
        self._depth -= 1
        return found

    def _binary(self, level: int) -> Expression:
        left = self.expression(level + 1)
        while self.peek().kind in ("name", "sign") and self.peek().text in _LEVELS[level]:
            operator = self._next().text
            if operator in ("is", "as"):
                left = TypeTest(operator, left, self._type())
            else:
                left = Binary(operator, left, self.expression(level + 1))
        return left

    def _signed(self) -> Expression:
        if self.peek() in (_Token("sign", "-"), _Token("sign", "+")):
            sign = self._next().text
            return Sign(sign, self.expression(len(_LEVELS)))
        found = self._term()
        while self.peek().kind == "sign" and self.peek().text in (".", "["):
            if self._next().text == ".":
                found = self._invocation(found)
            else:
                found = Index(found, self.expression(0))
                self._expect("]")
        return found

    def _term(self) -> Expression:
        token = self.peek()
        if token.kind == "sign" and token.text in ("(", "{", "%"):
            self._next()
            return self._opened(token.text)
        if token.kind in ("name", "quoted") and token.text not in ("true", "false"):
            return self._invocation(None)
        return self._literal()

    def _opened(self, sign: str) -> Expression:
        if sign == "%":
            token = self._next()
            if token.kind not in ("name", "quoted", "text"):
                raise NotFhirPath("% needs a name")
            return Constant(self._hyphened(_unescaped(token.text)))
        if sign == "{":
            self._expect("}")
            return Literal(None)
        found = self.expression(0)
        self._expect(")")
        return found

    def _hyphened(self, name: str) -> str:
        """``%vs-name`` as R4 itself writes it, without backticks."""
        while name.startswith(("vs-", "ext-")) or name in ("vs", "ext"):
            if self.peek() != _Token("sign", "-"):
                break
            self._next()
            name += f"-{self._next().text}"
        return name

    def _literal(self) -> Literal:
        token = self._next()
        match token.kind:
            case "name" if token.text in ("true", "false"):
                return Literal(token.text == "true")
            case "text":
                return Literal(_unescaped(token.text))
            case "number":
                return self._number(token.text)
            case "date" | "time":
                return Literal(_moment(token))
        raise NotFhirPath(f"not a term: {token.text[:20] or 'the end'}")

    def _number(self, text: str) -> Literal:
        unit = self.peek()
        if unit.kind == "text":
            return Literal(Amount(Decimal(text), _unescaped(self._next().text)))
        if unit.kind == "name" and unit.text in CALENDAR:
            return Literal(Amount(Decimal(text), CALENDAR[self._next().text], is_calendar=True))
        return Literal(Decimal(text) if "." in text else int(text))

    def _invocation(self, owner: Expression | None) -> Expression:
        token = self._next()
        if token.kind not in ("name", "quoted"):
            raise NotFhirPath(f"not a name: {token.text[:20] or 'the end'}")
        name = _unescaped(token.text)
        if self.peek() != _Token("sign", "("):
            return Member(owner, name)
        self._next()
        arguments: list[Expression] = []
        while self.peek() != _Token("sign", ")"):
            if arguments:
                self._expect(",")
            arguments.append(self.expression(0))
        self._next()
        return Call(owner, name, tuple(arguments))

    def _type(self) -> str:
        name = self._name()
        if self.peek() == _Token("sign", "."):
            self._next()
            return f"{name}.{self._name()}"
        return name

    def _name(self) -> str:
        token = self._next()
        if token.kind not in ("name", "quoted"):
            raise NotFhirPath("a type has a name")
        return token.text

    def _next(self) -> _Token:
        token = self.peek()
        if token.kind != "end":
            self._at += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._next() != _Token("sign", sign):
            raise NotFhirPath(f"{sign} is missing")


def _moment(token: _Token) -> Moment:
    found = moment(token.text, "Time" if token.kind == "time" else "DateTime" if "T" in token.text else "Date")
    if found is None:
        raise NotFhirPath("not a date or time")
    return found


def type_name(expression: Any) -> str:
    """The type that an argument names: ``ofType(FHIR.Patient)``. Raises NotFhirPath."""
    if isinstance(expression, Member) and expression.owner is None:
        return expression.name
    if isinstance(expression, Member) and isinstance(expression.owner, Member) and expression.owner.owner is None:
        return f"{expression.owner.name}.{expression.name}"
    raise NotFhirPath("the argument is the name of a type")
