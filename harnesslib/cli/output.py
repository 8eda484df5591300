"""How commands talk: options that all share, tables, JSON, progress."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harnesslib.cli.watching import (
    Watched,
    counts,
    drops,
    follow,
    headline,
    plain_lines,
    table_rows,
)
from harnesslib.records import Event, encode_pretty
from harnesslib.untrusted import for_terminal, json_for_terminal, on_one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

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
    """Print a result: `text` for people, or the record itself as JSON.

    Models and endpoints may have written parts of it: nothing in it reaches a terminal as a command to it.
    """
    if as_json:
        click.echo(json_for_terminal(encode_pretty(result).decode().rstrip()))
    else:
        click.echo(for_terminal(text))


def say(text: str) -> None:
    """Print what is no result, on stderr."""
    click.echo(for_terminal(text), err=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return left-aligned columns under a header, as wide as they need to be; each row is one line."""
    rows = [[on_one_line(cell) for cell in row] for row in rows]
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
    """Show a run's events on stderr while the block runs: a live view on a terminal, else plain lines.

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
    show_on: Show = _live if sys.stderr.isatty() else _lines
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
def _live(first: str) -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    known = Watched(message=first)
    with Live(picture(known), console=console, transient=True, refresh_per_second=8) as live:

        def update(event: Event) -> None:
            nonlocal known
            known = follow(known, event)
            live.update(picture(known))

        yield update


def picture(known: Watched) -> RenderableType:
    """Return what the terminal shows: steps, bar, counts, who is in front, what was dropped."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [Text(for_terminal(headline(known)), style="bold")]
    parts.append(Spinner("dots", Text(for_terminal(known.message))))
    if known.total:
        bar = Table.grid()
        bar.add_row(ProgressBar(total=known.total, completed=known.done, width=40))
        parts += [bar, Text(counts(known))]
    rows = table_rows(known)
    if rows:
        board = Table(box=None, pad_edge=False, header_style="dim")
        board.add_column("phase", no_wrap=True)
        board.add_column("in front", style="green", no_wrap=True)
        board.add_column("right", no_wrap=True)
        board.add_column("beside")
        for row in rows:
            board.add_row(*(Text(on_one_line(cell)) for cell in row))
        parts.append(board)
    parts += [Text(on_one_line(f"dropped {line}"), style="dim") for line in drops(known)]
    return Group(*parts)


@contextmanager
def _lines(first: str) -> Iterator[Callable[[Event], None]]:
    known = Watched(message=first)

    def update(event: Event) -> None:
        nonlocal known
        before, known = known, follow(known, event)
        for line in plain_lines(before, known, event):
            say(line)

    say(first)
    yield update
