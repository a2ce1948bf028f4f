"""Which mapping a clinical statement gets; what has none stays in the narrative and on the unmapped list.

https://hl7.org/cda/stds/core/2.0.0-sd/StructureDefinition-Section.html
"""

from collections.abc import Callable
from dataclasses import replace

from adapters.cda.chart import Chart, Link
from adapters.cda.facts import GOAL, NOT_YET, PART, TRACKING, Setting, set_aside
from adapters.cda.map_allergies import allergy
from adapters.cda.map_consents import directive
from adapters.cda.map_coverages import coverage
from adapters.cda.map_devices import equipment
from adapters.cda.map_encounters import encounter
from adapters.cda.map_families import family
from adapters.cda.map_immunizations import immunization
from adapters.cda.map_media import media
from adapters.cda.map_medications import medication
from adapters.cda.map_notes import clinical_note
from adapters.cda.map_observations import observation, panel, report
from adapters.cda.map_plans import goal, planned
from adapters.cda.map_problems import condition
from adapters.cda.map_procedures import procedure
from adapters.cda.map_supplies import dispense
from adapters.cda.map_teams import team
from adapters.cda.node import Node
from adapters.cda.tables import statement_kind


def detail(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """A status or severity that stands beside what it qualifies counts there; alone it is an observation."""
    if not setting.concern:
        return observation(chart, statement, setting)
    set_aside(statement, setting.narrative, PART)
    return []


Mapping = Callable[[Chart, Node, Setting], list[Link]]

_MAPPINGS: dict[str, Mapping] = {
    "condition": condition,
    "allergy": allergy,
    "medication": medication,
    "immunization": immunization,
    "observation": observation,
    "panel": panel,
    "report": report,
    "procedure": procedure,
    "encounter": encounter,
    "plan": planned,
    "goal": goal,
    "family": family,
    "equipment": equipment,
    "dispense": dispense,
    "coverage": coverage,
    "directive": directive,
    "note": clinical_note,
    "media": media,
    "team": team,
    "part": detail,
}
_NOTE = "34109-9"
# What stays what it is when it is only asked for; all else becomes a request for it.
_ASKED_AS = {
    "medication": "medication",
    "immunization": "medication",
    "coverage": "coverage",
    "gathering": "gathering",
}
_STATEMENTS = frozenset(
    {
        "act",
        "observation",
        "organizer",
        "procedure",
        "substanceAdministration",
        "encounter",
        "supply",
        "observationMedia",
    }
)


def statements(chart: Chart, entry: Node, setting: Setting) -> list[Link]:
    """The resources of one section entry, in order; an entry that gave none is told to the sender."""
    found: list[Link] = []
    for statement in entry.children:
        if statement.name in _STATEMENTS:
            found += _statement(chart, statement, setting)
    if not found:
        chart.notice(entry.place, "no mapping for this kind of entry: its section's narrative is kept")
    return found


def _statement(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    mapping = _MAPPINGS.get(_kind(statement, setting))
    if mapping is not None:
        return mapping(chart, statement, setting)
    nested = statement.all("entryRelationship") + statement.all("component")
    inner = [child for node in nested for child in node.children if child.name in _STATEMENTS]
    around = replace(setting, concern=statement)
    found = [link for child in inner for link in _statement(chart, child, around)]
    if found:
        _set_concern_aside(statement, setting)
    return found


def _set_concern_aside(concern: Node, setting: Setting) -> None:
    """The shell of an act that only holds what was mapped from inside it."""
    set_aside(concern, setting.narrative, TRACKING)
    for part in (*concern.all("effectiveTime"), *concern.all("author"), *concern.all("priorityCode")):
        for node in part.walk():
            for line in node.lines.values():
                line.ignore(TRACKING)


def _kind(statement: Node, setting: Setting) -> str:
    """By template or section; the mood then tells the planned from the done."""
    kind = statement_kind(statement, setting.section.kind)
    if statement.name == "act" and statement.first("code").get("code") == _NOTE:
        return "note"
    mood = statement.get("moodCode")
    if mood == GOAL:
        return "goal"
    if mood not in NOT_YET:
        return kind
    return _ASKED_AS.get(kind, "plan")
