"""The command line: start a gateway, send it messages, try a translation, get a token, check the audit chain."""

import asyncio
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.contract import Message
from fhir_gateway import app as root
from fhir_gateway import loading, logs, replaying, sending, serving, stating
from fhir_gateway.demo import play
from fhir_gateway.exchange.delivery import MessageSender, RemoteCounter
from fhir_gateway.exchange.folder import Folder, media_type_of
from fhir_gateway.exchange.replay import wanted
from fhir_gateway.exchange.translation import Translated
from fhir_gateway.exchange.translation import translate as run_translation
from fhir_gateway.exchange.watching import Watch
from fhir_gateway.fhir.codec import encode
from fhir_gateway.population.intake import Counts
from fhir_gateway.problem import NotFound, Problem
from fhir_gateway.security.password import hashed
from fhir_gateway.settings import Settings

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
audit = typer.Typer(no_args_is_help=True, help="The audit chain.")
cli.add_typer(audit, name="audit")
out = Console()
err = Console(stderr=True)

Data = Annotated[Path | None, typer.Option("--data", help="Folder for keys and the embedded database.")]
HospitalName = Annotated[
    str, typer.Option("--hospital", help="Sender: qn-general, bai-chay, san-nhi or one of your own.")
]
Sender = Annotated[str, typer.Option("--hospital", help="Only messages of this hospital.")]
Since = Annotated[str, typer.Option(help="Only what came then or later: 2026-11-23 or with a time and zone.")]
Until = Annotated[str, typer.Option(help="Only what came before then.")]
Format = Annotated[str, typer.Option("--format", help="Only this format: hl7v2, vn_xml, cda …")]
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("files, {task.fields[counts].read} resources, {task.fields[counts].refused} refused"),
    TimeElapsedColumn(),
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"fhir-gateway {version('fhir-gateway')}\n")
        raise typer.Exit


@cli.callback()
def start(
    told: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """The command line: start a gateway, send it messages, try a translation, get a token, check the audit chain."""


def main() -> None:
    """Run the command line; a Problem becomes one clear line and exit status 1."""
    logs.configure("text", "WARNING")
    try:
        cli()
    except Problem as problem:
        fail(problem)
    except OSError as fault:  # a folder that cannot be written, a port that is taken
        fail(Problem(f"{fault.strerror or fault}{f': {fault.filename}' if fault.filename else ''}"))


def fail(problem: Problem) -> NoReturn:
    for issue in problem.issues:
        where = f"{issue.where}: " if issue.where else ""
        err.print(f"[red]error[/red] {escape(where + issue.text)}", highlight=False)
    sys.exit(1)


def settings_with(**given: Any) -> Settings:
    """The settings of the environment, with what the command line says on top."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as fault:
        first = fault.errors()[0]
        raise Problem(first["msg"], f"FHIR_GATEWAY_{'_'.join(map(str, first['loc'])).upper()}") from fault


@cli.command()
def serve(  # noqa: PLR0913, PLR0917 - each is a flag
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="HTTP port; 0 picks a free one.")] = None,
    data: Data = None,
    mllp: Annotated[
        str | None, typer.Option(help=escape("[hospital@]host:port of an MLLP listener; several with commas."))
    ] = None,
    watch: Annotated[
        list[str] | None, typer.Option(metavar="HOSPITAL=DIR", help="Take the files of this folder; may be repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="This gateway's name among its partners.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve requests on this port.")] = None,
    log_format: Annotated[str | None, typer.Option(help="json or text.")] = None,
) -> None:
    """Start a gateway; prints one line `ready http://HOST:PORT` when it accepts requests."""
    settings = settings_with(
        host=host, port=port, data=data, mllp=mllp, name=name, workers=workers, log_format=log_format,
        watch=",".join(watch) if watch else None,
    )  # fmt: skip
    logs.configure(settings.log_format, settings.log_level)
    serving.run(settings)


@cli.command(hidden=True)
def worker() -> None:
    """One of the processes that `serve --workers` starts; it is told what to serve on standard input."""
    order = sys.stdin.buffer.readline()
    settings = serving.worker_settings(order)
    logs.configure(settings.log_format, settings.log_level)
    serving.run_worker(order)


@cli.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep both gateways' data in this folder.")] = None,
) -> None:
    """Play the whole story: three hospitals, two gateways, a referral, a teleconsultation, a crash."""
    sys.exit(play(as_json, keep))


@cli.command()
def translate(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The message.")],
    hospital: HospitalName,
    media_type: Annotated[str | None, typer.Option(help="Where the file's ending does not tell.")] = None,
) -> None:
    """Dry run: print the Bundle and the ledger of a message. Touches no database; exit status 1 when refused."""
    body = file.read_bytes()
    known = root.directory(Settings()).hospital(hospital)
    message = Message(known, media_type or media_type_of(file.name), body, datetime.now(UTC))
    translated = run_translation(root.adapters(), message, sys.maxsize)
    sys.stdout.write(encode(_account(translated)).decode() + "\n")
    sys.exit(1 if translated.faults else 0)


def _account(translated: Translated) -> dict[str, Any]:
    done = translated.translation
    return {
        "adapter": translated.adapter,
        "problems": [{"where": f.where or "message", "text": f.text} for f in translated.faults],
        "bundle": done.bundle if done else None,
        "counts": translated.counts,
        "ledger": translated.accounts,
        "notices": [{"where": n.where, "text": n.text} for n in done.notices] if done else [],
    }


@cli.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(exists=True, help="Messages, or folders of messages.")],
    hospital: HospitalName,
    data: Data = None,
    url: Annotated[str | None, typer.Option(help="A running gateway; default: the one serving --data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipts as JSON.")] = False,
) -> None:
    """Send messages to a running gateway and wait for their final state; exit status 1 when one is quarantined."""
    settings = settings_with(data=data)
    address = url or serving.address(settings)
    sender = MessageSender(address, serving.development_token(settings, hospital))
    with Progress(console=err, disable=as_json) as progress:
        waiting = progress.track(sending.files_of(files), description=f"sending to {address}")
        receipts = [sending.sent(sender, hospital, file) for file in waiting]
    sending.show(receipts, f"{address}/ingest/{hospital}", as_json, out)
    sys.exit(0 if all(receipt["state"] in sending.TAKEN for receipt in receipts) else 1)


@cli.command()
def watch(  # noqa: PLR0913 - each is a flag
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that files are put into.")],
    hospital: HospitalName,
    data: Data = None,
    url: Annotated[str | None, typer.Option(help="A running gateway; default: the one serving --data.")] = None,
    once: Annotated[bool, typer.Option(help="End when the folder is empty and every outcome is known.")] = False,
    marker: Annotated[str, typer.Option(help="Ending of the file that says another is complete, as .done.")] = "",
) -> None:
    """Hand the files of a folder to a running gateway, for ever; each ends in done/ or quarantine/ with its receipt."""
    settings = settings_with(data=data)
    logs.configure(settings.log_format, settings.log_level)
    counter = RemoteCounter(
        lambda: url or serving.address(settings), lambda: serving.development_token(settings, hospital)
    )
    watching = Watch(hospital, Folder(folder, marker), counter, settings.message_limit)
    with suppress(KeyboardInterrupt):
        asyncio.run(watching.run(once) if once else watching.go_on())
    out.print(f"{watching.handed} handed in, {watching.finished} filed away", highlight=False)


@cli.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", exists=True, help="Folder (or file) of NDJSON and Bundles.")],
    data: Data = None,
    hospital: Annotated[
        str | None, typer.Option(help="Import in the name of this hospital; default: seen by those who see all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Import .ndjson and .json files, plain, .gz or .bz2; run it again after an interruption and it goes on there."""
    with Progress(*COLUMNS, console=err, disable=as_json) as progress:
        bar = progress.add_task("importing", total=None, counts=Counts())

        def tell(done: int, total: int, counts: Counts) -> None:
            progress.update(bar, completed=done, total=total, counts=counts)

        report = asyncio.run(loading.load(settings_with(data=data), folder, hospital, tell))
    loading.show(report, as_json, out)
    sys.exit(1 if report.counts.refused else 0)


@cli.command()
def completeness(
    hospital: Annotated[str, typer.Argument(help="Whose day: qn-general, bai-chay, san-nhi or one of your own.")] = "",
    date: Annotated[str, typer.Option(help="The day, as 2026-11-23; default: today there.")] = "",
    verify: Annotated[Path | None, typer.Option(exists=True, help="Only verify this statement (JSON).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the signed statement as JSON.")] = False,
    data: Data = None,
) -> None:
    """What a hospital sent on a day and what became of it, signed; exit status 1 when something waits or is missing."""
    settings = settings_with(data=data)
    if verify is not None:
        stating.verify(settings, verify, out)
    elif not stating.show(settings, hospital, date, as_json, out):
        sys.exit(1)


@cli.command()
def token(
    client: Annotated[
        str, typer.Argument(help="qn-general, bai-chay, san-nhi, bach-mai, doctor, population, auditor, admin")
    ],
    data: Data = None,
) -> None:
    """Print a development access token for one of the built-in clients."""
    sys.stdout.write(serving.development_token(settings_with(data=data), client) + "\n")


@cli.command()
def password(
    username: Annotated[str, typer.Argument(help="The user name, as the hospital has it at the insurance gateway.")],
) -> None:
    """Ask for a password and print the lines of the portal table for the hospital's file; only its hash is kept."""
    given = typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    sys.stdout.write(f"[portal]\nusername = {json.dumps(username)}\npassword = {json.dumps(hashed(given))}\n")


@cli.command()
def partner(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; carry it to DATA/partners there.")],
    url: Annotated[str, typer.Option(help="Address by which the other gateway reaches this one.")],
    data: Data = None,
    name: Annotated[str | None, typer.Option(help="This gateway's name among its partners.")] = None,
) -> None:
    """Write the file by which another gateway knows this one: address, public keys, signing authority."""
    file = serving.introduce(settings_with(data=data, name=name), url.rstrip("/"), folder)
    out.print(f"{file.name} and its two key files are in {folder}; nothing in them is secret", highlight=False)


@cli.command()
def replay(  # noqa: PLR0913, PLR0917 - each is a flag
    hospital: Sender = "",
    state: Annotated[str, typer.Option(help="quarantined or stored; empty: both.")] = "quarantined",
    since: Since = "",
    until: Until = "",
    code: Annotated[str, typer.Option(help="Only with a problem of this code: structure, invalid, exception …")] = "",
    place: Annotated[str, typer.Option(help="Only with a problem at this place, as OBX or OBX[2]-5.")] = "",
    format_: Format = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be replayed.")] = False,
    data: Data = None,
) -> None:
    """Put kept messages to work again, by query: quarantined ones are translated again, stored ones mapped again.

    A running gateway does the work, or the next one that starts. To see first what would be different: remap --dry-run.
    """
    given = {"hospital": hospital, "state": state, "since": since, "until": until}
    wish = wanted({**given, "code": code, "place": place, "format": format_})
    owed = asyncio.run(replaying.replay(settings_with(data=data), wish, dry_run, err))
    said = "would be" if dry_run else "to be"
    out.print(
        f"{owed.met} messages = {owed.retried} {said} translated again + {owed.remapped} {said} mapped again"
        f" + {owed.left} left as they are",
        highlight=False,
    )


@cli.command()
def remap(  # noqa: PLR0913, PLR0917 - each is a flag
    hospital: Sender = "",
    since: Since = "",
    until: Until = "",
    format_: Format = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be different.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Commit without showing and asking first.")] = False,
    values: Annotated[bool, typer.Option("--values", help="Show what records say: patient data.")] = False,
    thorough: Annotated[bool, typer.Option(help="Also messages that were mapped under this very version.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    data: Data = None,
) -> None:
    """Map stored messages again under the mapping in force, and show the difference element by element.

    What later messages said stays. A run that was interrupted goes on where it was when the same command is given
    again; it ends with counts that add up. Exit status 1 when the mapping refuses a message.
    """
    wish = wanted({"hospital": hospital, "since": since, "until": until, "format": format_})
    settings = settings_with(data=data)

    def run(commit: bool) -> replaying.Report:
        manner = replaying.Manner(commit, thorough, values, as_json)
        report = asyncio.run(replaying.remap(settings, wish, manner, err))
        replaying.show(report, manner, out)
        return report

    report = run(commit=yes and not dry_run)
    if not (yes or dry_run) and report.counts["messages"] > report.counts["skipped"]:
        typer.confirm("commit this?", abort=True, err=True)
        report = run(commit=True)
    sys.exit(1 if report.failed else 0)


@cli.command("settings")
def show_settings() -> None:
    """List every setting: environment variable, value in force, meaning."""
    values = Settings()
    table = Table("environment", "value", "meaning")
    for name, knob in Settings.model_fields.items():
        table.add_row(f"FHIR_GATEWAY_{name.upper()}", str(getattr(values, name)), knob.description or "")
    out.print(table)


@audit.command("verify")
def audit_verify(
    data: Data = None,
    head: Annotated[str | None, typer.Option(help="A head printed earlier: the chain must still contain it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Walk the audit chain from its beginning; exit status 1 when an event was changed, removed or added.

    Keep the head it prints somewhere else: with --head a chain that was cut off at its end is found out too.
    """
    settings = settings_with(data=data)
    if settings.mongo_url is None and not (settings.data / "database").is_dir():
        raise NotFound(f"no gateway has ever kept its database under {settings.data}", "--data")
    result = asyncio.run(stating.chain(settings, head))
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        verdict = "[green]whole[/green]" if result["whole"] else "[red]NOT whole[/red]"
        out.print(
            f"audit chain {verdict}: {result['blocks']} blocks, {result['events']} events, {result['pending']} pending"
        )
        for fault in result["faults"]:
            out.print(f"  block {fault['block']}: {fault['text']} {fault['event'] or ''}")
        out.print(f"head {result['head']}", highlight=False)
    sys.exit(0 if result["whole"] else 1)
