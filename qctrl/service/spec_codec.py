"""What a job asked the runner for, as it is kept with the job: the very artefacts, so that it can be played again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from qctrl.errors import JobError
from qctrl.execution import JobSpec, Work, bundle
from qctrl.protocol import Patch, Program, Setup, SimOptions
from qctrl.service.blob import Blob

_KEY: Final = "spec"


def encode_spec(spec: JobSpec) -> tuple[dict[str, Any], dict[str, NDArray[np.uint8]]]:
    """Return a spec as part of a blob's document and of its arrays.

    Equal programs are kept once, and the words of works that are played together as one patch.
    """
    packed = _Packed()
    rows: list[dict[str, Any]] = []
    for alike in bundle(spec.works):
        program = packed.place(alike.program.hash, alike.program)
        patch = None if alike.patch is None else packed.place(alike.patch.hash, alike.patch)
        rows += [
            {
                "program": program,
                "patch": patch,
                "bindings": [bindings.start, bindings.stop],
                "shots": work.shots,
                "capture_mode": work.capture_mode,
                "pub_index": work.pub_index,
            }
            for work, bindings in zip(alike.works, alike.rows, strict=True)
        ]
    document = {
        "device": spec.device,
        "setup": packed.place(spec.setup.hash, spec.setup),
        "works": rows,
        "sim": None if spec.sim is None else msgspec.to_builtins(spec.sim),
        "chunk_shots": spec.chunk_shots,
        "rep_delay_s": spec.rep_delay_s,
        "max_execution_s": spec.max_execution_s,
    }
    return {_KEY: document}, {_KEY: np.frombuffer(b"".join(packed.parts), dtype=np.uint8)}


def decode_spec(blob: Blob, job_id: str) -> JobSpec:
    """Return the spec that :func:`encode_spec` wrote.

    Raises:
        JobError: The job was stored by a release that did not keep its programs.
        ProtocolError: An artefact is of a version that this release does not read.
    """
    if _KEY not in blob.document:
        raise JobError(f"job {job_id} was stored without its programs, by release 0.1.0", job_id=job_id)
    document, data = blob.document[_KEY], blob.arrays[_KEY].tobytes()

    def part(place: Sequence[int]) -> bytes:
        return data[place[0] : place[0] + place[1]]

    @cache
    def program(place: tuple[int, int]) -> Program:
        return Program.from_bytes(part(place))

    @cache
    def patch(place: tuple[int, int]) -> Patch:
        return Patch.from_bytes(part(place))

    works: list[Work] = []
    for row in document["works"]:
        whole = None if row["patch"] is None else patch(tuple(row["patch"]))
        # Release 0.1 kept the words of each work by themselves.
        mine = slice(*row["bindings"]) if "bindings" in row else slice(None)
        words = None if whole is None else Patch(whole.program_hash, whole.words[mine])
        works.append(Work(program(tuple(row["program"])), words, row["shots"], row["capture_mode"], row["pub_index"]))
    return JobSpec(
        job_id=job_id,
        device=document["device"],
        setup=Setup.from_bytes(part(document["setup"])),
        works=tuple(works),
        sim=None if document["sim"] is None else msgspec.convert(document["sim"], SimOptions),
        chunk_shots=document["chunk_shots"],
        rep_delay_s=document["rep_delay_s"],
        max_execution_s=document["max_execution_s"],
    )


class _Packed:
    """Artefacts one behind the other, each distinct one once."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._end = 0
        self._places: dict[bytes, list[int]] = {}

    def place(self, identity: bytes, artefact: Setup | Program | Patch) -> list[int]:
        """Return [offset, length] of an artefact."""
        if identity not in self._places:
            data = artefact.to_bytes()
            self._places[identity] = [self._end, len(data)]
            self.parts.append(data)
            self._end += len(data)
        return self._places[identity]
