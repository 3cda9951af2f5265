"""What both primitives are made of: a backend, a session, options, and the way from tasks to a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qctrl.primitives.job import Job, Recipe
from qctrl.primitives.option_tree import make_options
from qctrl.primitives.options import EstimatorOptions, SamplerOptions
from qctrl.primitives.pubs import encode_pubs
from qctrl.primitives.randomizations import Randomizer, store
from qctrl.primitives.session import Mode, Session, resolve_mode
from qctrl.primitives.submission import job_seed, submit, to_request
from qctrl.primitives.suppression import TwirlingOptions
from qctrl.primitives.tasks import Task, build_works
from qctrl.provider import Backend

_Tree = TypeVar("_Tree", SamplerOptions, EstimatorOptions)


class Primitive(Generic[_Tree]):
    """A primitive bound to where it plays.

    Args:
        tree: Class of the options.
        backend: A backend of ``ProviderService``.
        options: Tree of options, or nested dicts.
        mode: A backend, session or batch in place of ``backend``.
    """

    def __init__(
        self,
        tree: type[_Tree],
        backend: Backend | None,
        options: _Tree | Mapping[str, Any] | None,
        mode: Mode | None,
    ) -> None:
        self._backend, self._session = resolve_mode(backend, mode, type(self).__name__)
        self._options = make_options(tree, options)

    @property
    def backend(self) -> Backend:
        """The backend that plays."""
        return self._backend

    @property
    def mode(self) -> Mode:
        """The session or batch of the jobs, else the backend."""
        return self._session or self._backend

    @property
    def session(self) -> Session | None:
        """The session or batch of the jobs, if there is one."""
        return self._session

    @property
    def options(self) -> _Tree:
        """Options of the next jobs; assign to its attributes, or a tree or nested dicts in place of all."""
        return self._options

    @options.setter
    def options(self, options: _Tree | Mapping[str, Any]) -> None:
        self._options = make_options(type(self._options), options)

    def _check_open(self) -> None:
        if self._session is not None:
            self._session.check_open()

    def _submit(
        self,
        recipe: Recipe,
        pubs: Sequence[SamplerPub] | Sequence[EstimatorPub],
        values: Sequence[NDArray[np.float64]],
        tasks: Sequence[Task],
        twirling: TwirlingOptions,
        notes: Mapping[str, Any],
    ) -> Job:
        """Twirl, compile and submit tasks; notes are stored with the pubs, for the recipe to read."""
        seed, live = job_seed(self._options, self._backend), self._backend.calibration.live_qubits
        randomizer = Randomizer(twirling, seed, live)
        spread, randomizations = randomizer.spread(tasks)
        compiler = partial(self._backend.compile, rep_delay_s=self._options.execution.rep_delay or 0.0)
        works, placements = build_works(spread, compiler, self._backend.structural_parameters)
        blob = store(randomizations, encode_pubs(pubs, values))
        blob.document.update(notes)
        request = to_request(recipe.name, works, placements, blob, self._options)
        handle = submit(request, self._backend, self._session)
        return Job(handle, recipe, lambda backend=self._backend: backend, pubs)
