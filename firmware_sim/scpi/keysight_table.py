"""The sequence table of a Keysight M8190A or M8195A: ``STABle``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from firmware_sim.scpi.instrument import ScpiError, command, number, whole

_BEGINS, _ENDS_SCENARIO, _ENDS = 1 << 28, 1 << 29, 1 << 30
_KNOWN: Final = _BEGINS | _ENDS_SCENARIO | _ENDS | 1 << 24
_MOST: Final = 0xFFFFFFFF
_MAX_ENTRIES: Final = 1 << 19


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry."""

    control: int
    loops: int
    """Of its sequence, if it is the first."""
    repeats: int
    segment: int


class SequenceTable:
    """A table per channel, or one for all.

    Args:
        tables: How many.
    """

    def __init__(self, tables: int) -> None:
        self._tables: dict[int, dict[int, Entry]] = {index: {} for index in range(1, tables + 1)}

    def reset_all(self) -> None:
        """Empty all tables."""
        for table in self._tables.values():
            table.clear()

    def length(self, table: int) -> int:
        """Return the number of entries of the first sequence."""
        return len(self.sequence(table))

    def sequence(self, table: int) -> list[Entry]:
        """Return the first sequence of a table; empty if it has none."""
        found: list[Entry] = []
        for index in range(len(self._tables[table])):
            entry = self._tables[table].get(index)
            if entry is None or bool(entry.control & _BEGINS) != (index == 0):
                return []
            found.append(entry)
            if entry.control & _ENDS:
                return found
        return []

    def _table(self, index: int) -> dict[int, Entry]:
        if index not in self._tables:
            raise ScpiError(-114, f"Header suffix out of range;{index}")
        return self._tables[index]

    @command("[SOURce:]STABle<n>:RESet")
    def reset(self, table: int) -> None:
        """Empty a table."""
        self._table(table).clear()

    @command("[SOURce:]STABle<n>:DATA")
    def write(self, table: int, index: str, *words: str) -> None:  # six words, as the guide has them
        """Write an entry."""
        control, loops, repeats, segment, first, last = (whole(word, 0, _MOST) for word in words)
        if control & ~_KNOWN or first or last != _MOST:
            raise ScpiError(-222, "Data out of range;only whole segments and advance AUTO are emulated")
        entry = Entry(control, whole(str(loops), 1, _MOST), whole(str(repeats), 1, _MOST), segment)
        self._table(table)[whole(index, 0, _MAX_ENTRIES)] = entry

    @command("[SOURce:]STABle<n>:DYNamic[:STATe]")
    def set_dynamic(self, table: int, state: str) -> None:
        """Switch the dynamic mode; it is not emulated."""
        self._table(table)
        if state.upper() not in ("OFF", "0"):
            raise ScpiError(-224, "Illegal parameter value;dynamic mode is not emulated")

    @command("[SOURce:]STABle<n>:SCENario:SELect")
    def select(self, table: int, index: str) -> None:
        """Begin with the first entry."""
        self._table(table)
        number(index, 0, 0)

    @command("[SOURce:]STABle<n>:SCENario:COUNt")
    def set_count(self, table: int, count: str) -> None:
        """Play the scenario once."""
        self._table(table)
        number(count, 1, 1)
