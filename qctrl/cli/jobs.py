"""``qctrl jobs``: what was run here, and what came back."""

from typing import Annotated, Any

import typer

from qctrl.cli.output import JsonOption, print_columns, print_counts, print_json

app = typer.Typer(help="Jobs stored on this machine.", no_args_is_help=True, rich_markup_mode=None)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Job id; its first characters are enough.")]


@app.command("list")
def list_jobs(
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 10,
    tag: Annotated[list[str] | None, typer.Option(help="Only jobs with this tag; may be repeated.")] = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="Only jobs of this device.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first."""
    from qctrl.service import JobFilter, JobStore

    records = JobStore().list(JobFilter(tags=tuple(tag or ()), device=device), limit=limit)
    if as_json:
        print_json([_summary(record) for record in records])
        return
    header = ("job", "created", "status", "device", "primitive", "tags")
    rows = (
        (
            record.job_id,
            f"{record.created.astimezone():%Y-%m-%d %H:%M:%S}",
            record.stage.value,
            record.device,
            record.primitive,
            ",".join(record.tags),
        )
        for record in records
    )
    print_columns(rows, header=header)


@app.command("show")
def show(job_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Show what is known of a job, without its result."""
    summary = _summary(_find(job_id))
    if as_json:
        print_json(summary)
    else:
        print_columns((name, value) for name, value in summary.items() if value not in ("", None, []))


@app.command("result")
def result(job_id: IdArgument, *, as_json: JsonOption = False) -> None:
    """Print the counts or the expectation values of a job; waits for a job that still runs."""
    from qctrl.access import ProviderService

    full_id = _find(job_id).job_id
    service = ProviderService()
    try:
        pubs = _pub_documents(service.job(full_id).result())
    finally:
        service.close()
    if as_json:
        print_json({"job_id": full_id, "pubs": pubs})
        return
    for number, pub in enumerate(pubs):
        typer.echo(f"pub {number}")
        if "registers" in pub:
            print_counts(pub["registers"])
        else:
            print_columns(pub.items())


def _pub_documents(found: Any) -> list[dict[str, Any]]:
    from qiskit.primitives import PrimitiveResult

    if isinstance(found, PrimitiveResult):
        return [_pub_document(found[index]) for index in range(len(found))]
    counts: Any = found.get_counts()
    return [{"registers": {"all": dict(one)}} for one in (counts if isinstance(counts, list) else [counts])]


def _pub_document(pub: Any) -> dict[str, Any]:
    fields = dict(pub.data.items())
    if "evs" in fields:
        return {name: value.tolist() for name, value in fields.items()}
    if pub.data.shape == ():
        return {"registers": {name: bits.get_counts() for name, bits in fields.items()}}
    # One histogram per parameter set, in the order of the flattened shape.
    return {name: [bits.get_counts(position) for position in range(bits.size)] for name, bits in fields.items()}


def _find(prefix: str) -> Any:
    from qctrl.errors import JobError, JobNotFoundError
    from qctrl.service import JobStore

    store = JobStore()
    matches = [record for record in store.list(limit=None) if record.job_id.startswith(prefix)]
    if not matches:
        raise JobNotFoundError(
            f"no job {prefix} in {store.path}; 'qctrl jobs list' shows what is stored", job_id=prefix
        )
    if len(matches) > 1:
        raise JobError(f"{len(matches)} jobs start with {prefix}; give more characters of the id", job_id=prefix)
    return matches[0]


def _summary(record: Any) -> dict[str, Any]:
    return {
        "job_id": record.job_id,
        "created": record.created.isoformat(),
        "updated": record.updated.isoformat(),
        "status": record.stage.value,
        "device": record.device,
        "primitive": record.primitive,
        "tags": list(record.tags),
        "calibration_id": record.calibration_id,
        "error_code": record.error_code,
        "error": record.error,
    }
