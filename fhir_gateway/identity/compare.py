"""Whether two patient records speak of one human: deterministic rules, each answer with its evidence.

https://hl7.org/fhir/R4/valueset-identity-assuranceLevel.html
Only a number can make two records one person. Name, birth date and sex alone are *probable*, never more: names repeat
hugely in Vietnam, a borrowed insurance card is real, and a newborn may carry its mother's name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import JaroWinkler

from fhir_gateway.search.folding import fold

CITIZEN = "citizen number"
INSURANCE = "insurance number"
SAME_NAME = 0.97
LIKE_NAME = 0.85


@dataclass(frozen=True, slots=True)
class Systems:
    """The identifier systems that prove something, by what they prove."""

    citizen: frozenset[str]
    insurance: frozenset[str]

    def kind(self, system: str) -> str | None:
        if system in self.citizen:
            return CITIZEN
        return INSURANCE if system in self.insurance else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which facts agree and which differ; names of facts only, never their values."""

    agree: tuple[str, ...]
    differ: tuple[str, ...]

    @property
    def text(self) -> str:
        said = [f"{fact} equal" for fact in self.agree] + [f"{fact} differs" for fact in self.differ]
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``assurance`` is level4 or level3 for a link, level2 for probable, empty for no."""

    assurance: str
    evidence: Evidence

    @property
    def certain(self) -> bool:
        return self.assurance in ("level3", "level4")


Patient = Mapping[str, Any]


def strong(patient: Patient, systems: Systems) -> list[tuple[str, str]]:
    """The (system, value) pairs that prove identity, citizen numbers first."""
    pairs = [(i["system"], i["value"]) for i in patient.get("identifier", ()) if i.get("system") and i.get("value")]
    proving = [pair for pair in pairs if systems.kind(pair[0])]
    return sorted(dict.fromkeys(proving), key=lambda pair: systems.kind(pair[0]) != CITIZEN)


def compare(one: Patient, other: Patient, shared: Collection[str]) -> Verdict:
    """Weigh two records that share the ``shared`` kinds of number."""
    facts = {"birth date": _birth(one, other), "sex": _sex(one, other), "name": _name(one, other)}
    agree = (*sorted(shared), *(fact for fact, same in facts.items() if same))
    differ = tuple(fact for fact, same in facts.items() if same is False)
    return Verdict(_assurance(shared, facts), Evidence(agree, differ))


def _assurance(shared: Collection[str], facts: Mapping[str, bool | None]) -> str:
    contradictions = sum(same is False for same in facts.values())
    if CITIZEN in shared:
        return ("level4", "level3", "level2", "level2")[contradictions]
    if INSURANCE in shared:
        return "level3" if contradictions == 0 else "level2"
    return "level2" if all(facts.values()) else ""


def _birth(one: Patient, other: Patient) -> bool | None:
    """Equal as far as the shorter date goes; 1 January alone proves no difference of day (it stands for unknown)."""
    a, b = one.get("birthDate", ""), other.get("birthDate", "")
    if not a or not b:
        return None
    if a[:4] == b[:4] and (a.endswith("-01-01") or b.endswith("-01-01")):
        return True
    shorter = min(len(a), len(b))
    return str(a)[:shorter] == str(b)[:shorter]


def _sex(one: Patient, other: Patient) -> bool | None:
    a, b = one.get("gender"), other.get("gender")
    if a not in ("male", "female") or b not in ("male", "female"):
        return None
    return bool(a == b)


def _name(one: Patient, other: Patient) -> bool | None:
    mine, theirs = folded_names(one), folded_names(other)
    if not mine or not theirs:
        return None
    return any(JaroWinkler.similarity(a, b) >= LIKE_NAME for a in mine for b in theirs)


def same_name(one: Patient, other: Patient) -> bool:
    """Equal but for case, diacritics and tone-mark placement, or almost: the bar for a match without a number."""
    mine, theirs = folded_names(one), folded_names(other)
    return any(JaroWinkler.similarity(a, b) >= SAME_NAME for a in mine for b in theirs)


def folded_names(patient: Patient) -> list[str]:
    """Every name, folded; a temporary name (a newborn under its mother's) is none of its own."""
    return [fold(text) for text in spoken_names(patient)]


def spoken_names(patient: Patient) -> list[str]:
    """Every name of its own as it is written."""
    own = [name for name in patient.get("name", ()) if name.get("use") != "temp"]
    return [text for name in own if (text := _text(name))]


def _text(name: Mapping[str, Any]) -> str:
    return name.get("text") or " ".join([name.get("family", ""), *name.get("given", ())]).strip()
