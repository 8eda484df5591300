"""``harness.toml`` and ``routing_config.json`` on disk: read strictly, written whole; generations kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from harnesslib import harness_file, routing, routing_file
from harnesslib.errors import AuditError, ConflictError, DataError, InputError
from harnesslib.records import HarnessConfig, RoutingConfig, encode_pretty, sha256
from harnesslib.storage import (
    claiming,
    make_folder,
    read,
    read_if_there,
    speaking,
    sweep,
    write_atomic,
    write_once,
)

_GENERATION_FILE = re.compile(r"(\d{6,})\.json")


class ConfigManager:
    """The configs of one workspace; implements `ports.ConfigStore`.

    Parameters
    ----------
    root
        The workspace's folder.

    Notes
    -----
    Reading needs no lock: a reader sees the old file or the new one. Writers hold the lock "routing"; a save
    compares the generation in force once more, alone with the files, so that a forgotten lock is found and
    no rule lost.
    """

    def __init__(self, root: Path) -> None:
        self.harness_path = root / "harness.toml"
        self.routing_path = root / "routing_config.json"
        self.generations = root / "generations"

    def harness(self) -> HarnessConfig:
        """Read ``harness.toml``; InputError names the file, the field and the cure."""
        text = read_if_there(self.harness_path)
        if text is None:
            raise InputError(f"{self.harness_path}: is not there; cure: make a workspace with `harness init`")
        return harness_file.parse(text, str(self.harness_path))

    def routing(self) -> RoutingConfig:
        """Read the generation in force; DataError when it is missing, torn or unsound."""
        return routing_file.parse(self._in_force(), str(self.routing_path))

    def routing_sha256(self) -> str:
        """Return the hash of the file in force, whatever stands in it."""
        return sha256(self._in_force())

    def generation(self, generation: int) -> RoutingConfig:
        """Read a stored generation; DataError when there is none, or it is not what its name says."""
        return self._stored(generation)[0]

    def newest_stored(self) -> int:
        """Return the highest number of a stored generation; 0 when there is none."""
        if not self.generations.exists():
            return 0
        with speaking(self.generations, "list"):
            names = [_GENERATION_FILE.fullmatch(path.name) for path in self.generations.iterdir()]
        return max((int(name[1]) for name in names if name), default=0)

    def next_generation(self) -> int:
        """Return a number no generation ever had."""
        in_force = 0 if read_if_there(self.routing_path) is None else self.routing().generation
        return max(self.newest_stored(), in_force) + 1

    def initialise(self, config: RoutingConfig) -> str:
        """Put the first generation in force and return its hash; ConflictError when there is one already."""
        with self._alone(), speaking(self._path(1), "replace"):
            if read_if_there(self.routing_path) is None and self.newest_stored() == 1:
                self._path(1).unlink()  # an attempt that was stopped here: it was never in force
        return self.save(config, expected_generation=0)

    def save(self, config: RoutingConfig, *, expected_generation: int) -> str:
        """Store a new generation, put it in force, read it back, and return its hash.

        Parameters
        ----------
        config
            The new generation; its `parent_sha256` is the hash of the file in force.
        expected_generation
            The generation it was made from; 0 when it is the first.

        Raises
        ------
        ConflictError
            Another generation is in force, its file was edited, the number was used before, or another
            process saves at this moment.
        DataError
            `config` is unsound, or can't be written; what is in force stays in force.
        """
        routing_file.refuse_unsound(config, f"generation {config.generation}")
        with self._alone():
            parent = self._expect(expected_generation)
            self._refuse_outdated(config, parent)
            data = encode_pretty(config)
            write_once(self._path(config.generation), data)
            return self._put_in_force(data)

    def restore(self, generation: int, *, expected_generation: int) -> str:
        """Put a stored generation in force, byte for byte, and return its hash.

        Raises
        ------
        ConflictError
            Another generation than the expected one is in force, or another process saves at this moment.
        DataError
            There is no such generation, or it is damaged; what is in force stays in force.
        """
        with self._alone():
            self._expect(expected_generation)
            return self._put_in_force(self._stored(generation)[1])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Compare and write as one step; whoever holds the lock "routing" is never refused here."""
        make_folder(self.generations)
        with claiming(self.generations) as mine:
            if not mine:
                raise ConflictError(
                    f"{self.routing_path}: another process changes it at this moment; "
                    "cure: hold the lock 'routing' around the whole change"
                )
            sweep(self.generations, "*.json")
            sweep(self.routing_path.parent, self.routing_path.name)
            yield

    def migrated(self, now: datetime) -> RoutingConfig:
        """Return a file of version 1.0 as generation 1 of the present version; nothing is written.

        Raises
        ------
        InputError
            The file is of the present version.
        DataError
            It can't be read, or a rule leads nowhere.
        """
        where = str(self.routing_path)
        legacy = routing_file.parse_legacy(self._in_force(), where)
        return routing.migrate(legacy, self.harness(), now=now, where=where)

    def migrate(self, config: RoutingConfig) -> tuple[str, Path]:
        """Put what `migrated` returned in force; returns its hash, and where the old file lies now.

        The caller holds the lock "routing" and knows that the log has no entry yet.
        """
        old = self._in_force()
        routing_file.parse_legacy(old, str(self.routing_path))
        if self.newest_stored() > config.generation:
            raise ConflictError(
                f"{self.generations}: holds generation {self.newest_stored()}: version 1.0 was put over a "
                "later one; cure: copy the newest of them over the file, and restore the log from a backup"
            )
        kept = self.generations / f"version-{routing.LEGACY_VERSION}-{sha256(old)[:12]}.json"
        with self._alone():
            write_once(kept, old)
            data = encode_pretty(config)
            # Not written once: an attempt that was stopped here has left one, and it was never in force.
            write_atomic(self._path(config.generation), data)
            return self._put_in_force(data), kept

    def _in_force(self) -> bytes:
        data = read_if_there(self.routing_path)
        if data is None:
            cure = f"`harness init` makes the first one; if there was one, {routing_file.CURE}"
            raise DataError(f"{self.routing_path}: is not there; cure: {cure}")
        return data

    def _expect(self, generation: int) -> str:
        """Return the hash of the file in force once its generation is the expected one; "" for none."""
        there = read_if_there(self.routing_path)
        found = 0 if there is None else routing_file.parse(there, str(self.routing_path)).generation
        if found != generation:
            raise ConflictError(
                f"{self.routing_path}: generation {found or 'none'} is in force, the change was made for "
                f"generation {generation or 'none'}; cure: start again from what is in force now"
            )
        return "" if there is None else sha256(there)

    def _refuse_outdated(self, config: RoutingConfig, parent: str) -> None:
        if config.parent_sha256 != parent:
            raise ConflictError(
                f"{self.routing_path}: its hash is {parent[:12] or 'none'}, generation {config.generation} "
                f"was made for {config.parent_sha256[:12] or 'none'}; "
                "cure: make the change again from the file in force"
            )
        if config.generation < self.next_generation():
            raise ConflictError(
                f"{self.routing_path}: generation {config.generation} was used before, the next one is "
                f"{self.next_generation()}; cure: make the change again"
            )

    def _stored(self, generation: int) -> tuple[RoutingConfig, bytes]:
        path = self._path(generation)
        data = read(path)
        config = routing_file.parse(data, str(path))
        if config.generation != generation:
            raise DataError(f"{path}: holds generation {config.generation}; cure: restore it from a backup")
        return config, data

    def _path(self, generation: int) -> Path:
        return self.generations / f"{generation:06d}.json"

    def _put_in_force(self, data: bytes) -> str:
        write_atomic(self.routing_path, data)
        expected, got = sha256(data), sha256(read(self.routing_path))
        if got != expected:
            raise AuditError(
                f"{self.routing_path}: read back with hash {got[:12]}, expected {expected[:12]}; "
                "cure: find out which other program writes this file"
            )
        return expected
