"""``ProviderService``: the way in for users."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from qctrl.config import Rack, find_default_rack, find_rack, load_rack
from qctrl.errors import CalibrationError, ConfigError, QctrlError
from qctrl.execution import LocalRunner

# What brings Qiskit is imported where it is used: by then the emulator is already starting beside it.
if TYPE_CHECKING:
    from qiskit.transpiler import Target

    from qctrl.access.search import DeviceWishes, JobWishes
    from qctrl.access.switches import Switches, SwitchKeywords
    from qctrl.calibration import Calibration
    from qctrl.primitives import Job
    from qctrl.provider import Backend, RunJob
    from qctrl.service import JobHandle, Jobs


class ProviderService:
    """Devices and jobs of this machine.

    By default an emulator in a child process, started with the first job and ended with this
    process, and jobs in a local SQLite file.

    Args:
        url: Address of a lab server; not possible yet.
        account: Name of an account on that server; not possible yet.
        config: Rack file; the default is ``$QCTRL_CONFIG``, else the embedded emulator.

    Raises:
        ConfigError: The rack file cannot be used, or a server is asked for.
    """

    def __init__(self, url: str | None = None, account: str | None = None, config: str | Path | None = None) -> None:
        if url is not None or account is not None:
            asked = f"url={url!r}" if url is not None else f"account={account!r}"
            raise ConfigError(
                f"ProviderService({asked}): lab servers are not supported yet; use ProviderService() on the machine "
                "of the rack, with config='rack.yaml' for a rack other than the embedded emulator"
            )
        self._rack = load_rack(find_rack(config))
        self._runners: dict[tuple[Path, str, Path | None], LocalRunner] = {}

    def __enter__(self) -> ProviderService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the emulators and release the job store; jobs that still run are cancelled."""
        runners, self._runners = list(self._runners.values()), {}
        for runner in runners:
            runner.close()
        # Never made if no job was ever asked for.
        if "_jobs" in self.__dict__:
            self._jobs.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the place of the rack: what is loaded is the service that has it there.

        Data of experiments hold the service of their backend.
        """
        from qctrl.access.reopen import service_of

        return service_of, (self._rack.path.resolve(),)

    def backends(
        self,
        name: str | None = None,
        min_num_qubits: int | None = None,
        filters: Callable[[Backend], bool] | None = None,
        **wishes: Unpack[DeviceWishes],
    ) -> list[Backend]:
        """Return the usable devices, by name.

        A device whose calibration cannot be read is left out with a warning.

        Args:
            name: Only the device of this name.
            min_num_qubits: Only devices with at least so many usable qubits.
            filters: Only backends for which this returns True.
            **wishes: ``operational``, ``simulator`` (emulated devices are none: they accept exactly what the
                hardware accepts) and ``dynamic_circuits``, True or False.

        Raises:
            TypeError: There is no such filter.
        """
        from qctrl.access.search import grants
        from qctrl.access.switches import Switches

        found: list[Backend] = []
        for device in self._names():
            if name is not None and device != name:
                continue
            try:
                backend = self._backend(device, Switches())
            except QctrlError as error:
                warnings.warn(f"device {device} is left out: {error}", stacklevel=2)
                continue
            enough = len(backend.calibration.live_qubits) >= (min_num_qubits or 0)
            if enough and grants(backend, wishes) and (filters is None or filters(backend)):
                found.append(backend)
        return found

    def least_busy(
        self,
        min_num_qubits: int | None = None,
        filters: Callable[[Backend], bool] | None = None,
        **wishes: Unpack[DeviceWishes],
    ) -> Backend:
        """Return the device with the fewest jobs that wait or run; of equals the one with the most qubits.

        Args:
            min_num_qubits: Only devices with at least so many usable qubits.
            filters: Only backends for which this returns True.
            **wishes: ``operational``, ``simulator`` and ``dynamic_circuits`` of :meth:`backends`.

        Raises:
            QiskitBackendNotFoundError: No device matches.
        """
        from qiskit.providers.exceptions import QiskitBackendNotFoundError

        found = self.backends(min_num_qubits=min_num_qubits, filters=filters, **wishes)
        if not found:
            raise QiskitBackendNotFoundError("no device matches; service.backends() lists what there is")
        return min(found, key=lambda backend: (backend.status().pending_jobs, -backend.num_qubits))

    def backend(self, name: str, **switches: Unpack[SwitchKeywords]) -> Backend:
        """Return a device, and begin to open its rack.

        Args:
            name: Name of the device.
            **switches: ``calibration``, a calibration file or a folder that holds one;
                ``use_fractional_gates``, False to do without gates by any angle; ``emulator``, True
                for the emulated twin of a device that the rack has as hardware, with the same Target
                and options; and for the emulator alone: ``noise`` (False removes every random process but the outcome
                itself), ``without`` (kinds of noise to remove: ``relaxation``, ``dephasing``,
                ``thermal``, ``quasi_static``, ``one_over_f``, ``drift``, ``photons``), ``levels``
                per transmon (2 to 4, or ``auto``: 3 if memory allows), ``mode`` (``density
                matrix``, ``ket``, ``tree``, or ``auto``, the cheapest), ``memory_mib`` (memory of
                the state, and of a block's samples, in MiB), ``allow_unsafe`` (True goes on where
                approximations do not hold), ``time_limit_s`` (a run that would take longer by the
                emulator's forecast is refused), ``seed`` of all jobs that bring none, and ``truth``, a
                file with the hidden
                device.

        Raises:
            DeviceNotFoundError: The device is unknown; a ``ConfigError`` and a ``QiskitBackendNotFoundError``.
            ConfigError: A switch has a wrong name or value.
            CalibrationError: The calibration cannot be used.
        """
        rack = self._rack_for(emulator=switches.get("emulator"))
        self._check_name(name, rack)
        if rack.embedded and switches.get("truth") is None:
            # An emulator takes longer to start than a circuit to compile, so it starts first.
            self._runner(rack, name, None).prepare()
        from qctrl.access.switches import Switches

        return self._backend(name, Switches.from_keywords(switches))

    def reopened(self, name: str, chosen: Switches) -> Backend:
        """Return a device as another backend of this rack was made; see ``qctrl.access.reopen``."""
        return self._backend(name, chosen)

    def return_backend(self, name: str, **switches: Unpack[SwitchKeywords]) -> Backend:
        """Return a device; the name that Qiskit's provider guide uses for :meth:`backend`."""
        return self.backend(name, **switches)

    def target(self, name: str) -> Target:
        """Return what a device can do.

        Args:
            name: Name of the device.

        Raises:
            DeviceNotFoundError: The device is unknown.
            CalibrationError: Its calibration cannot be used.
        """
        from qctrl.access.switches import Switches

        self._check_name(name, self._rack)
        return self._backend(name, Switches()).target

    def target_history(self, name: str, at: datetime | None = None) -> Target:
        """Return what a device could do at a time, as the jobs that ran then kept it.

        Args:
            name: Name of the device.
            at: The time; one without a zone is local, and ``None`` is now.

        Raises:
            DeviceNotFoundError: The device is unknown.
            JobError: No job of the device had run by then, on this machine.
        """
        from qctrl.access.switches import Switches

        self._check_name(name, self._rack)
        return self._backend(name, Switches()).target_history(at)

    def return_target(self, name: str) -> Target:
        """Return what a device can do; the name that Qiskit's provider guide uses for :meth:`target`."""
        return self.target(name)

    def job(self, job_id: str) -> Job | RunJob:
        """Return a job of this or of an earlier process.

        Args:
            job_id: What ``job.job_id()`` returned.

        Raises:
            JobNotFoundError: No such job is stored.
        """
        return self._restored(self._jobs.find(job_id))

    def jobs(
        self,
        limit: int | None = 10,
        skip: int = 0,
        *,
        descending: bool = True,
        **wishes: Unpack[JobWishes],
    ) -> list[Job | RunJob]:
        """Return stored jobs, newest first.

        Args:
            limit: At most so many; ``None`` for all.
            skip: Leave out so many first, for the next page.
            descending: False gives the oldest first.
            **wishes: ``backend_name``; ``status``, one or several of QUEUED, RUNNING, DONE, CANCELLED, ERROR and
                INTERRUPTED; ``pending``; ``program_id``, one of ``sampler``, ``estimator`` and ``run``; ``tags`` or
                ``job_tags``, all of which a job must carry; ``session_id``; ``created_after`` and
                ``created_before``, times that are local if they have no zone.

        Raises:
            TypeError: There is no such filter.
            ValueError: There is no such status or primitive, or a count is negative.
        """
        from qctrl.access.search import to_filter

        if skip < 0 or (limit is not None and limit < 0):
            raise ValueError(f"limit is {limit} and skip {skip}; neither can be negative")
        records = self._jobs.store.list(to_filter(wishes), limit=limit, skip=skip, descending=descending)
        return [self._restored(self._jobs.handle(record)) for record in records]

    def delete_job(self, job_id: str) -> None:
        """Forget a job that has ended, with its inputs and its result.

        Args:
            job_id: What ``job.job_id()`` returned.

        Raises:
            JobNotFoundError: No such job is stored.
            JobError: The job has not ended.
        """
        self._jobs.delete(job_id)

    def usage(self, days: float = 28.0) -> dict[str, Any]:
        """Return how long jobs of this machine's user were on the rack: ``usage_consumed_seconds``, in a period.

        Args:
            days: Length of the period, which ends now.
        """
        end = datetime.now(UTC)
        start = end - timedelta(days=days)
        done = self.jobs(None, status="done", created_after=start)
        return {
            "usage_consumed_seconds": sum(job.usage() for job in done),
            "usage_period": {"start_time": start.isoformat(), "end_time": end.isoformat()},
            "usage_limit_reached": False,
        }

    def _restored(self, handle: JobHandle) -> Job | RunJob:
        from qctrl.access.switches import Switches
        from qctrl.primitives import restore

        return restore(handle, lambda: self._backend(handle.record.device, Switches()))

    @cached_property
    def _jobs(self) -> Jobs:
        from qctrl.service import Jobs, JobStore

        return Jobs(JobStore())

    def _backend(self, name: str, chosen: Switches) -> Backend:
        from qctrl.access.reopen import note, reopen
        from qctrl.execution.setup import build_setup
        from qctrl.provider import Backend, Device

        calibration = self._calibration(name, chosen)
        rack = self._rack_for(emulator=chosen.emulator)
        device = Device(
            calibration=calibration,
            setup=build_setup(calibration, rack.wiring(name)),
            runner=self._runner(rack, name, chosen.truth),
            jobs=self._jobs,
            emulation=chosen.emulation(embedded=rack.has_switches),
            has_branches=rack.has_branches,
            has_fractional=chosen.use_fractional_gates is not False,
            reopen=partial(reopen, self._rack.path.resolve(), name, chosen),
        )
        note(self._rack.path, self)
        return Backend(device, provider=self)

    def _names(self) -> list[str]:
        from qctrl.calibration import list_devices

        calibrated = list_devices()
        return sorted(name for name in self._rack.devices if name in calibrated)

    def _check_name(self, name: str, rack: Rack) -> None:
        if name in rack.devices:
            return
        from qctrl.access.not_found import DeviceNotFoundError

        nearest = difflib.get_close_matches(name, rack.devices, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise DeviceNotFoundError(
            f"device {name!r} is unknown; {hint}{rack.path} has {', '.join(rack.devices)}; "
            "check the name, or add the device to the rack file"
        )

    def _calibration(self, name: str, switches: Switches) -> Calibration:
        from qctrl.calibration import find_device, load

        path = switches.calibration_file(name) or find_device(name)
        calibration = load(path)
        if calibration.name != name:
            raise CalibrationError(f"{path}:1:1: device.name: value {calibration.name!r} is not {name!r}")
        return calibration

    def _rack_for(self, *, emulator: bool | None) -> Rack:
        if emulator is False and self._rack.embedded:
            raise ConfigError(f"emulator=False, but {self._rack.path} has nothing but the emulator; name another rack")
        return self._emulated if emulator else self._rack

    @cached_property
    def _emulated(self) -> Rack:
        return self._rack if self._rack.has_switches else load_rack(find_default_rack())

    def _runner(self, rack: Rack, name: str, truth: Path | None) -> LocalRunner:
        key = (rack.path, name, truth)
        if key not in self._runners:
            self._runners[key] = LocalRunner(rack, name, truth)
        return self._runners[key]
