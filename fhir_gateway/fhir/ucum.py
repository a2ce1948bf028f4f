"""Units of measure brought to one scale, so that 5 mg is found by 0.005 g.

https://ucum.org/ucum#section-Grammar-of-Units-and-Unit-Terms

Arbitrary units, equivalents and osmoles are scales of their own, as is the mole: nobody wants 1 mmol found by 6e20.
Rare and logarithmic units are known by name alone; what is on no scale is compared as it is written.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files

SYSTEM = "http://unitsofmeasure.org"

PREFIXES = {
    name: Fraction(10) ** power
    for name, power in (
        *(("Y", 24), ("Z", 21), ("E", 18), ("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3), ("h", 2), ("da", 1)),
        *(("d", -1), ("c", -2), ("m", -3), ("u", -6), ("n", -9), ("p", -12), ("f", -15), ("a", -18), ("z", -21)),
        ("y", -24),
    )
} | {"Ki": Fraction(2) ** 10, "Mi": Fraction(2) ** 20, "Gi": Fraction(2) ** 30}

# A scale that does not begin where its base begins, in the base's unit.
_OFFSETS = {"Cel": Fraction("273.15"), "[degF]": Fraction("459.67") * Fraction(5, 9)}

_TOKEN = re.compile(r"(?P<note>\{[^{}]*\})|(?P<sign>[()./])|(?P<atom>10[*^]|(?:\[[^\[\]]*\]|[^\[\]{}()./\d+\-])+|\d+)")
_EXPONENT = re.compile(r"[+-]?\d{1,2}")
_LONGEST, _LARGEST = 60, 300


@dataclass(frozen=True, slots=True)
class Unit:
    """``scale`` times a product of base units, which ``base`` writes in one way only."""

    scale: Fraction
    base: str
    offset: Fraction = Fraction(0)

    def canonical(self, value: Fraction) -> float:
        """The value on the scale of ``base``."""
        return float(value * self.scale + self.offset)


@dataclass(frozen=True, slots=True)
class _Product:
    scale: Fraction
    powers: tuple[tuple[str, int], ...] = ()

    def times(self, other: "_Product", power: int = 1) -> "_Product":
        powers = Counter(dict(self.powers))
        for name, exponent in other.powers:
            powers[name] += exponent * power
        return _Product(self.scale * other.scale**power, tuple(sorted((n, p) for n, p in powers.items() if p)))


_ONE = _Product(Fraction(1))


@lru_cache(maxsize=4096)
def unit(code: str) -> Unit | None:
    """What a UCUM code means; None when it is none that is known here."""
    if not code or len(code) > _LONGEST:
        return None
    try:
        product = _Reader(code).whole()
    except (ValueError, KeyError, ZeroDivisionError):
        return None
    bits = product.scale.numerator.bit_length() - product.scale.denominator.bit_length()
    if not product.scale or abs(bits) > _LARGEST:
        return None
    base = ".".join(f"{name}{power if power != 1 else ''}" for name, power in product.powers) or "1"
    return Unit(product.scale, base, _OFFSETS.get(code, Fraction(0)))


def is_unit(code: str) -> bool:
    """Whether the code is one of UCUM, of rare and logarithmic units too, which are on no scale here."""
    try:
        return bool(_Reader(code, _named).whole())
    except (ValueError, KeyError, ZeroDivisionError):
        return False


class _Reader:
    """Reads one unit term from left to right; ``/`` and ``.`` bind equally. ``meaning`` is what a symbol stands for."""

    def __init__(self, code: str, meaning: "Callable[[str], _Product] | None" = None) -> None:
        self._code, self._at = code, 0
        self._meaning = meaning or _simple

    def whole(self) -> _Product:
        product = self._term()
        if self._at < len(self._code):
            raise ValueError("more than a unit")
        return product

    def _term(self) -> _Product:
        product, power = (_ONE, 1) if self._peek() != "/" else (_ONE, self._sign())
        product = product.times(self._component(), power)
        while self._peek() in (".", "/"):
            power = self._sign()
            product = product.times(self._component(), power)
        return product

    def _sign(self) -> int:
        self._at += 1
        return -1 if self._code[self._at - 1] == "/" else 1

    def _peek(self) -> str:
        return self._code[self._at : self._at + 1]

    def _component(self) -> _Product:
        match = _TOKEN.match(self._code, self._at)
        if match is None or match["sign"] not in (None, "("):
            raise ValueError("not a unit")
        self._at = match.end()
        if match["note"]:
            return _ONE
        product = self._group() if match["sign"] else self._power(match["atom"])
        if self._peek() == "{":
            self._component()
        return product

    def _group(self) -> _Product:
        product = self._term()
        if self._peek() != ")":
            raise ValueError("an open parenthesis")
        self._at += 1
        return product

    def _power(self, atom: str) -> _Product:
        if atom.isdigit():
            return _Product(Fraction(int(atom)))
        exponent = _EXPONENT.match(self._code, self._at)
        if exponent is None:
            return self._meaning(atom)
        self._at = exponent.end()
        return _ONE.times(self._meaning(atom), int(exponent[0]))


@cache
def _table() -> dict[str, tuple[bool, Fraction, str]]:
    text = files(__package__).joinpath("definitions", "ucum.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["code"]: (row["prefixed"] == "1", Fraction(row["factor"]), row["of"]) for row in rows}


@lru_cache(maxsize=1024)
def _simple(atom: str) -> _Product:
    """A unit symbol, with a prefix where it takes one. Raises KeyError."""
    if atom in _table():
        _, factor, of = _table()[atom]
        return _Product(factor).times(_Product(Fraction(1), ((atom, 1),)) if not of else _of(of))
    for length in (2, 1):
        prefix, rest = atom[:length], atom[length:]
        if prefix in PREFIXES and rest in _table() and _table()[rest][0]:
            return _Product(PREFIXES[prefix]).times(_simple(rest))
    raise KeyError(atom)


@cache
def _symbols() -> dict[str, bool]:
    """All unit symbols of UCUM, and whether each takes a prefix."""
    text = files(__package__).joinpath("definitions", "ucum-rare.csv").read_text(encoding="utf-8")
    rare = {row["code"]: row["prefixed"] == "1" for row in csv.DictReader(text.splitlines())}
    return {code: prefixed for code, (prefixed, _, _) in _table().items()} | rare


def _named(atom: str) -> _Product:
    """Nothing but that the symbol exists. Raises KeyError."""
    stems = (atom[len(prefix) :] for prefix in PREFIXES if atom.startswith(prefix))
    if atom not in _symbols() and not any(_symbols().get(stem) for stem in stems):
        raise KeyError(atom)
    return _ONE


def _of(code: str) -> _Product:
    return _Reader(code).whole()
