"""Plays the story with its progress, and ends in an account of what was shown."""

import json
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fhir_gateway.demo.script import Story, Unexpected
from fhir_gateway.demo.stage import stage
from fhir_gateway.demo.story import SCENES

WIDTH = 100


def play(as_json: bool, keep: Path | None) -> int:
    """Run every scene; the exit status is 0 when each showed what it must."""
    console = Console(stderr=as_json)
    started = time.monotonic()
    played: list[dict[str, Any]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting two gateways", total=len(SCENES))
        with stage(keep) as (province, central):
            story = Story(province, central)
            for number, (title, scene) in enumerate(SCENES, 1):
                progress.update(bar, description=f"{number}. {title}")
                played.append(_played(number, title, scene, story))
                progress.advance(bar)
                if not played[-1]["ok"]:
                    break
    result = {"ok": all(p["ok"] for p in played), "seconds": round(time.monotonic() - started, 1), "scenes": played}
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        _tell(console, result)
    return 0 if result["ok"] else 1


def _played(number: int, title: str, scene: Any, story: Story) -> dict[str, Any]:
    started = time.monotonic()
    row: dict[str, Any] = {"scene": number, "title": title, "says": (scene.__doc__ or "").strip(), "ok": True}
    try:
        row["facts"] = scene(story).facts
    except (Unexpected, TimeoutError, OSError, KeyError) as fault:
        row |= {"ok": False, "fault": f"{type(fault).__name__}: {fault}"}
    return {**row, "seconds": round(time.monotonic() - started, 1)}


def _tell(console: Console, result: dict[str, Any]) -> None:
    for scene in result["scenes"]:
        mark = "[green]✓[/green]" if scene["ok"] else "[red]✗[/red]"
        console.print(f"{mark} [bold]{scene['scene']}. {scene['title']}[/bold]  ({scene['seconds']} s)")
        _say(console, scene["says"])
        for name, value in scene.get("facts", {}).items():
            _say(console, f"· {name}: {_plain(value)}", "     ")
        if not scene["ok"]:
            console.print(f"   {scene['fault']}", style="red", markup=False)
    verdict = "[green]The story holds.[/green]" if result["ok"] else "[red]The story broke.[/red]"
    console.print(f"{verdict} {result['seconds']} s, two gateways, two databases.")


def _say(console: Console, text: str, following: str = "   ") -> None:
    """A sentence below its scene, broken between words and still below it."""
    width = min(console.width, WIDTH)
    lines = textwrap.wrap(" ".join(text.split()), width, initial_indent="   ", subsequent_indent=following)
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _plain(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
