"""Messages put to work again from the command line: replayed by query, or mapped again with what would be different.

Straight on the store, beside a gateway that may be running on it, as whoever may read the keys of its data folder.
"""

import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from fhir_gateway import app as root
from fhir_gateway.exchange.difference import Edit, Kind
from fhir_gateway.exchange.inbox import Inbox
from fhir_gateway.exchange.remapping import Outcome, Remapped, Remapping
from fhir_gateway.exchange.replay import Owed, Replay, Wanted
from fhir_gateway.exchange.sweep import Sweep, by_rule
from fhir_gateway.fhir.codec import encode
from fhir_gateway.security.caller import Caller
from fhir_gateway.settings import Settings

CLIENT = "fhir-gateway"
SIGNS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}
LISTED = 200
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("messages"),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


@asynccontextmanager
async def _gateway(settings: Settings) -> AsyncIterator[tuple[root.Gateway, Inbox]]:
    async with root.shared_store(settings) as store:
        base_url = settings.base_url or f"http://{settings.host}:{settings.port}"
        known = root.Gateway(settings, base_url, store, root.directory(settings), root.key_ring(settings))
        yield known, Inbox(store, settings.message_limit)


async def replay(settings: Settings, wish: Wanted, dry_run: bool, console: Console) -> Owed:
    """Put every wanted message to work again; a running gateway does the work, or the next one that starts."""
    with Progress(TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("replaying", total=None)

        def tell(owed: Owed) -> None:
            progress.update(bar, description=f"{owed.met} messages met")

        async with _gateway(settings) as (gateway, letters):
            caller = Caller(f"{CLIENT} replay", "admin", "")
            return await Replay(gateway.house, letters, caller).all(wish, dry_run, tell)


@dataclass(frozen=True, slots=True)
class Manner:
    """How messages are mapped again, and how it is shown. ``values`` shows what records say: patient data."""

    commit: bool
    thorough: bool = False
    values: bool = False
    as_json: bool = False


@dataclass(slots=True)
class Report:
    """What a run came to: differences by element and by rule, and the messages that the mapping refuses."""

    counts: dict[str, int] = field(default_factory=dict)
    resumed: int = 0
    elements: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    failed: list[dict[str, Any]] = field(default_factory=list)
    records: dict[str, list[Edit]] = field(default_factory=dict)
    left_off: int = 0
    met: set[tuple[str, str, Kind]] = field(default_factory=set)

    def add(self, remapped: Remapped, edits: list[tuple[Edit, str]]) -> None:
        if remapped.outcome is Outcome.FAILED:
            self.failed.append({"message": remapped.receipt.key, "problems": [dict(p) for p in remapped.problems]})
        # Without a commit each message is compared for itself: what several would change is one difference.
        for edit, rule in [(e, rule) for e, rule in edits if (e.reference, e.path, e.kind) not in self.met]:
            self.met.add((edit.reference, edit.path, edit.kind))
            kind = edit.reference.partition("/")[0]
            self.elements[edit.kind, kind, re.sub(r"\[\d+\]", "", edit.path)] += 1
            self.rules[rule] += 1
            if edit.reference in self.records or len(self.records) < LISTED:
                self.records.setdefault(edit.reference, []).append(edit)
            else:
                self.left_off += 1

    def plain(self, values: bool) -> dict[str, Any]:
        """The report as values for JSON."""
        return {
            "counts": self.counts,
            "resumed": self.resumed,
            "elements": [{"kind": k, "type": t, "path": p, "count": n} for (k, t, p), n in self.elements.most_common()],
            "rules": dict(self.rules.most_common()),
            "failed": self.failed,
            "records": {ref: [_plain(edit, values) for edit in edits] for ref, edits in self.records.items()},
        }


def _plain(edit: Edit, values: bool) -> dict[str, Any]:
    said = {"before": edit.before, "after": edit.after} if values else {}
    return {"path": edit.path, "kind": str(edit.kind), **said}


async def remap(settings: Settings, wish: Wanted, manner: Manner, console: Console) -> Report:
    """Map every wanted message again and gather what is different; commits where ``manner`` says so."""
    report = Report()
    async with _gateway(settings) as (gateway, letters):
        caller = Caller(f"{CLIENT} remap", "admin", "")
        remapping = Remapping(gateway.house, letters, root.adapters(), caller, manner.thorough)
        sweep = Sweep(remapping, wish, manner.commit)
        with Progress(*COLUMNS, console=console, disable=manner.as_json) as progress:
            bar = progress.add_task("mapping again" if manner.commit else "comparing", total=None)
            async for remapped in sweep.run():
                report.add(remapped, await by_rule(remapping, remapped) if remapped.edits else [])
                progress.update(bar, completed=sweep.counts.messages, total=sweep.total)
        report.counts = {"messages": sweep.total, **asdict(sweep.counts)}
        report.resumed = sweep.resumed
    return report


def show(report: Report, manner: Manner, console: Console) -> None:
    """Print a report: records and their elements, then the counts by element and by rule, then what adds up."""
    if manner.as_json:
        sys.stdout.write(encode(report.plain(manner.values)).decode() + "\n")
        return
    for ref, edits in report.records.items():
        console.print(ref, style="bold", highlight=False)
        for edit in edits:
            console.print(f"  {SIGNS[edit.kind]} {edit.path or 'the record'}{_said(edit, manner)}", markup=False)
    if report.left_off:
        console.print(f"… and {report.left_off} differences in records that are not listed")
    if report.elements:
        console.print(_table("element", ((f"{SIGNS[Kind(k)]} {t}.{p}", n) for (k, t, p), n in report.elements.items())))
        console.print(_table("rule", report.rules.most_common()))
    for row in report.failed:
        why = "; ".join(f"{p['where']}: {p['text']}" for p in row["problems"])
        console.print(f"failed {row['message']}: {escape(why)}", highlight=False)
    if report.resumed:
        console.print(f"an earlier run was interrupted after {report.resumed} messages; this one went on there")
    counts = report.counts
    parts = " + ".join(f"{counts[name]} {name}" for name in map(str, Outcome))
    console.print(f"{counts['messages']} messages = {parts}", highlight=False)


def _said(edit: Edit, manner: Manner) -> str:
    if not manner.values:
        return ""
    return f": {encode(edit.before).decode()} → {encode(edit.after).decode()}"


def _table(head: str, rows: Any) -> Table:
    table = Table(head, "differences")
    for name, number in rows:
        table.add_row(escape(name), str(number))
    return table
