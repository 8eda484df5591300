"""Run the benchmarks, print their table, and keep the numbers under benchmarks/results/.

`./run bench` calls it. Every other module of this folder with a function ``rows(folder)`` takes part.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import measuring

HERE = Path(__file__).resolve().parent
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def main() -> int:
    """Measure what the arguments name."""
    options = arguments()
    results = options.results or HERE / "results"
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.disk or results, prefix=".measuring-") as folder:
        rows = [row for row in registered(Path(folder)) if options.only.lower() in row.name.lower()]
        if not rows:
            print(f"run bench: no row has '{options.only}' in its name", file=sys.stderr)
            return 2
        measured = [measuring.measure(row, quick=options.quick) for row in rows]
        disk = options.disk or results
    print("\n".join(table(measured)))
    print(f"\nwritten to {write(measured, results, disk=disk, quick=options.quick)}")
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./run bench", description="Measure, beside a bare reference each.")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="only rows with these words in their name"
    )
    parser.add_argument("--quick", action="store_true", help="a few timings only, to see that it works")
    parser.add_argument(
        "--disk", type=Path, metavar="FOLDER", help="write here instead of benchmarks/results"
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where the numbers go")
    return parser.parse_args()


def registered(folder: Path) -> Iterator[measuring.Row]:
    """Yield the rows of every module in this folder that has some."""
    for path in sorted(HERE.glob("*.py")):
        if path.name in {"run.py", "measuring.py"}:
            continue
        module = importlib.import_module(path.stem)
        if hasattr(module, "rows"):
            made = folder / path.stem
            made.mkdir()
            yield from module.rows(made)


def table(results: list[measuring.Result]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| what | median | 95 % below | reference | median | ratio |"
    yield "|---|---:|---:|---|---:|---:|"
    for each in results:
        ours = f"{spoken(each.ours.median_s)} | {spoken(each.ours.p95_s)}"
        reference = f"{each.reference_name} | {spoken(each.reference.median_s)}"
        yield f"| {each.name} | {ours} | {reference} | {each.ratio:.3g} |"


def spoken(seconds: float) -> str:
    """Return a time with three digits and its unit."""
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def write(results: list[measuring.Result], folder: Path, *, disk: Path, quick: bool) -> Path:
    """Write the numbers with what they depend on, and return the file."""
    now = datetime.now(UTC)
    content = {
        "measured_at": now.isoformat(timespec="seconds"),
        "quick": quick,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "file_system": file_system(disk),
        "rows": [asdict(each) | {"ratio": each.ratio} for each in results],
    }
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on, as the system calls it; "" if it is unknown."""
    import psutil

    parents = {str(each) for each in (folder.resolve(), *folder.resolve().parents)}
    found = [part for part in psutil.disk_partitions(all=True) if part.mountpoint in parents]
    return max(found, key=lambda part: len(part.mountpoint)).fstype if found else ""


if __name__ == "__main__":
    sys.exit(main())
