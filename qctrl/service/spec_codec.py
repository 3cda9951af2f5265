"""What a job asked the runner for, as it is kept with the job: the very artefacts, so that it can be played again."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from qctrl.errors import JobError
from qctrl.execution import JobSpec, Work
from qctrl.protocol import Patch, Program, Setup, SimOptions
from qctrl.service.blob import Blob

_KEY: Final = "spec"


def encode_spec(spec: JobSpec) -> tuple[dict[str, Any], dict[str, NDArray[np.uint8]]]:
    """Return a spec as part of a blob's document and of its arrays; equal programs and patches are kept once."""
    packed = _Packed()
    document = {
        "device": spec.device,
        "setup": packed.place(spec.setup.hash, spec.setup),
        "works": [
            {
                "program": packed.place(work.program.hash, work.program),
                "patch": None if work.patch is None else packed.place(work.patch.hash, work.patch),
                "shots": work.shots,
                "capture_mode": work.capture_mode,
                "pub_index": work.pub_index,
            }
            for work in spec.works
        ],
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

    def part(place: list[int]) -> bytes:
        return data[place[0] : place[0] + place[1]]

    programs: dict[int, Program] = {}
    works: list[Work] = []
    for row in document["works"]:
        place = row["program"]
        if place[0] not in programs:
            programs[place[0]] = Program.from_bytes(part(place))
        patch = None if row["patch"] is None else Patch.from_bytes(part(row["patch"]))
        works.append(Work(programs[place[0]], patch, row["shots"], row["capture_mode"], row["pub_index"]))
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
