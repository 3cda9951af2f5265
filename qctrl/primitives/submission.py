"""From works and pubs to what the backend is asked to execute and keep: the same for both primitives."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from qctrl.execution import Work
from qctrl.primitives.options import EstimatorOptions, SamplerOptions
from qctrl.primitives.session import Session
from qctrl.primitives.tasks import Placement
from qctrl.provider import Backend, Request
from qctrl.service import Blob, JobHandle


def to_request(
    primitive: Literal["sampler", "estimator"],
    works: Sequence[Work],
    placements: Sequence[Placement],
    blob: Blob,
    options: SamplerOptions | EstimatorOptions,
) -> Request:
    """Return the request of a job.

    Args:
        primitive: Which primitive will make results of it.
        works: What is executed.
        placements: Where the result of each work belongs.
        blob: The pubs, as they are stored.
        options: Options of the primitive at this moment.
    """
    return Request(
        primitive=primitive,
        works=tuple(works),
        document={
            **blob.document,
            "options": options.to_dict(),
            "placements": [placement.to_document() for placement in placements],
        },
        arrays=blob.arrays,
        seed=options.simulator.seed_simulator,
        chunk_shots=options.execution.chunk_shots,
        rep_delay_s=options.execution.rep_delay,
        max_execution_s=options.max_execution_time,
        tags=tuple(options.environment.job_tags or ()),
    )


def job_seed(options: SamplerOptions | EstimatorOptions, backend: Backend) -> int | None:
    """Return the seed of a job's random numbers, on the host as in the emulator; ``None`` if nobody gave one."""
    own = options.simulator.seed_simulator
    if own is not None or backend.emulation is None:
        return own
    return backend.emulation.seed


def submit(request: Request, backend: Backend, session: Session | None) -> JobHandle:
    """Submit a request, in a session if there is one."""
    if session is None:
        return backend.submit(request)
    return session.submit(backend, dataclasses.replace(request, session=session.session_id))
