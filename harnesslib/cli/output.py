"""How commands talk: options that all share, tables, JSON, progress."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import click

from harnesslib.records import Event, encode_pretty

Show = Callable[[str], AbstractContextManager[Callable[[Event], None]]]
"""Takes the first words, and gives what shows events while it is open."""

workspace_option = click.option(
    "-w",
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    envvar="HARNESS_WORKSPACE",
    help="The workspace folder (default: this folder).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")


def show(result: Any, text: str, *, as_json: bool) -> None:  # noqa: ANN401 - any record
    """Print a result: `text` for people, or the record itself as JSON."""
    click.echo(encode_pretty(result).decode().rstrip() if as_json else text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return left-aligned columns under a header, as wide as they need to be."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    ]
    lines.insert(1, "  ".join("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


@contextmanager
def progress(
    read: Callable[[int], tuple[tuple[Event, ...], int]], first: str, *, quiet: bool
) -> Iterator[None]:
    """Show a run's events on stderr while the block runs: a bar on a terminal, else a line per state.

    Parameters
    ----------
    read
        Takes an offset and returns the events since, and the next offset.
    first
        What is said until the first event.
    quiet
        Show nothing.
    """
    if quiet:
        yield
        return
    show_on: Show = _bar if sys.stderr.isatty() else _lines
    display = show_on(first)
    stop = threading.Event()

    def watch() -> None:
        offset, last = 0, False
        with display as update:
            while not last:
                last = stop.wait(0.15)
                events, offset = read(offset)
                for event in events:
                    update(event)

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


@contextmanager
def _bar(first: str) -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(first, total=None)

        def update(event: Event) -> None:
            if event.total:
                bars.update(task, completed=event.done, total=event.total)
            else:
                bars.update(task, description=event.message, completed=0, total=None)

        yield update


@contextmanager
def _lines(first: str) -> Iterator[Callable[[Event], None]]:
    said: set[str] = set()

    def update(event: Event) -> None:
        if event.message not in said and not event.done:
            said.add(event.message)
            click.echo(f"{event.time:%H:%M:%S} {event.state}: {event.message}", err=True)

    click.echo(first, err=True)
    yield update
