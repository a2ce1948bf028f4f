"""Messages handed to a running gateway from the command line: what became of each, why, and what to do next."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fhir_gateway.exchange.delivery import MessageSender, Undelivered
from fhir_gateway.exchange.folder import media_type_of

TAKEN = ("stored", "divided")


def files_of(paths: list[Path]) -> list[Path]:
    """The files, and those in the folders, each folder in the order of its names."""
    found = [sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] for path in paths]
    return [file for files in found for file in files]


def sent(sender: MessageSender, hospital: str, file: Path) -> dict[str, Any]:
    """The receipt; of a message that was not taken, why: the files after it are sent all the same."""
    try:
        return {"file": str(file), **sender.send(hospital, media_type_of(file.name), file.read_bytes())}
    except Undelivered as refusal:
        problems = [{"where": issue.where, "text": issue.text} for issue in refusal.issues]
        return {"file": str(file), "receipt": "", "state": "refused", "resources": [], "problems": problems}


def show(receipts: list[dict[str, Any]], address: str, as_json: bool, out: Console) -> None:
    """Print a line for each file, then what was wrong, then the counts; ``address`` is that of the hospital's inbox."""
    if as_json:
        sys.stdout.write(json.dumps(receipts, ensure_ascii=False) + "\n")
        return
    table = Table("state", "resources")
    table.add_column("file", overflow="fold")
    table.add_column("receipt", no_wrap=True)
    for row in receipts:
        table.add_row(row["state"], str(len(row["resources"])), escape(_name(row, receipts)), row["receipt"])
    out.print(table)
    for row in receipts:
        for problem in row["problems"]:
            why = f"{problem['where']}: {problem['text']}" if problem["where"] else problem["text"]
            out.print(f"{escape(_name(row, receipts))}: {escape(why)}", highlight=False, soft_wrap=True)
    counts = Counter(row["state"] for row in receipts)
    if counts["quarantined"]:
        _advise(address, out)
    out.print(", ".join(f"{n} {state}" for state, n in sorted(counts.items())) + f"; {len(receipts)} sent")


def _name(row: dict[str, Any], receipts: list[dict[str, Any]]) -> str:
    """The file's name; with its folder where another file has the same."""
    file = Path(row["file"])
    alike = sum(Path(other["file"]).name == file.name for other in receipts)
    return str(Path(*file.parts[-2:])) if alike > 1 else file.name


def _advise(address: str, out: Console) -> None:
    hospital = address.rpartition("/")[2]
    for line in (
        "What is quarantined is kept. Look at it, in a browser or with curl:",
        f"  {address}?state=quarantined   (the page asks for a token: fhir-gateway token {hospital})",
        "Then send it again, right; or mend the mapping and translate the kept bytes again:",
        f"  fhir-gateway replay --hospital {hospital} --dry-run",
    ):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
