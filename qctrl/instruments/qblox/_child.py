"""The process that holds the vendor's object.

Run as a file, like the process behind a VISA session. It works in a folder of its own, because
the vendor's dummy assembles where it stands.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

_KINDS: Final = {
    "QCM": "CLUSTER_QCM",
    "QCM-RF": "CLUSTER_QCM_RF",
    "QRM": "CLUSTER_QRM",
    "QRM-RF": "CLUSTER_QRM_RF",
}


def open_cluster(address: str, modules: Mapping[str, str]) -> Any:
    """Return the vendor's object; an empty address stands for its dummy."""
    vendor = importlib.import_module("qblox_instruments")
    kinds = {int(slot): getattr(vendor.ClusterType, _KINDS[kind]) for slot, kind in modules.items()}
    return vendor.Cluster("cluster", dummy_cfg=kinds) if not address else vendor.Cluster("cluster", address)


def identify(cluster: Any) -> dict[str, Any]:
    """Return who it is and which modules it has."""
    identity = cluster.get_idn()
    modules = {
        str(module.slot_idx): f"{module.module_type}{'-RF' if module.is_rf_type else ''}"
        for module in cluster.modules
        if module.present()
    }
    return {
        "maker": str(identity["manufacturer"]),
        "model": str(identity["model"]),
        "serial": str(identity["serial_number"]),
        "firmware": str(identity["firmware"]["application"]["version"]),
        "modules": modules,
    }


def health(cluster: Any) -> dict[str, Any]:
    """Return its status, its clock, and what was in its error queue, which is empty afterwards."""
    status = cluster.get_system_status()
    errors = [str(cluster.get_system_error()) for _ in range(min(int(cluster.get_num_system_error()), 100))]
    flags = sorted(str(flag) for flag in status.flags)
    return {
        "status": str(status.status),
        "flags": flags,
        "errors": errors,
        "reference": str(cluster.reference_source()),
    }


def reset(cluster: Any) -> None:
    """Make everything as it is after power-on; outputs are off."""
    cluster.reset()


def set_values(cluster: Any, slot: int, sequencer: int, values: Mapping[str, Any]) -> None:
    """Set parameters of a module, or of one of its sequencers if it is not negative."""
    target = getattr(cluster, f"module{slot}")
    target = target if sequencer < 0 else getattr(target, f"sequencer{sequencer}")
    for name, value in values.items():
        getattr(target, name)(value)


def upload(cluster: Any, slot: int, sequencer: int, sequence: Mapping[str, Any]) -> None:
    """Give a sequencer its program, waveforms, weights and acquisitions."""
    getattr(getattr(cluster, f"module{slot}"), f"sequencer{sequencer}").sequence(dict(sequence))


def start(cluster: Any, places: list[list[int]]) -> None:
    """Arm sequencers and start them."""
    for slot, sequencer in places:
        getattr(cluster, f"module{slot}").arm_sequencer(sequencer)
    for slot, sequencer in places:
        getattr(cluster, f"module{slot}").start_sequencer(sequencer)


def states(cluster: Any, places: list[list[int]]) -> list[dict[str, Any]]:
    """Return how sequencers are."""
    found: list[dict[str, Any]] = []
    for slot, sequencer in places:
        status = getattr(cluster, f"module{slot}").get_sequencer_status(sequencer)
        errors = [str(flag) for flag in status.err_flags]
        found.append({"status": str(status.status), "state": str(status.state), "errors": errors})
    return found


def bins(cluster: Any, slot: int, sequencer: int) -> dict[str, Any]:
    """Return what the bins of a sequencer's only acquisition hold."""
    found = getattr(cluster, f"module{slot}").get_acquisitions(sequencer)["shots"]["acquisition"]["bins"]
    return {
        "in_phase": list(found["integration"]["path0"]),
        "quadrature": list(found["integration"]["path1"]),
        "threshold": list(found["threshold"]),
        "count": list(found["avg_cnt"]),
    }


def feed(cluster: Any, slot: int, sequencer: int, values: list[list[float]]) -> None:
    """Let the dummy answer with bins: in-phase, quadrature, threshold, count."""
    vendor = importlib.import_module("qblox_instruments")
    made = [vendor.DummyBinnedAcquisitionData(data=(i, q), thres=int(t), avg_cnt=int(n)) for i, q, t, n in values]
    module = getattr(cluster, f"module{slot}")
    module.set_dummy_binned_acquisition_data(sequencer=sequencer, acq_index_name="shots", data=made)


def stop(cluster: Any) -> None:
    """Stop all sequencers and disconnect all outputs."""
    for module in cluster.modules:
        if module.present():
            module.stop_sequencer()
            module.disconnect_outputs()


_VERBS: Final[dict[str, Callable[..., Any]]] = {
    each.__name__: each for each in (identify, health, reset, set_values, upload, start, states, bins, feed, stop)
}


class Worker:
    """Does what the parent asks of one cluster."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self._folder = tempfile.TemporaryDirectory(prefix="qctrl-q1asm-")
        os.chdir(self._folder.name)

    def do(self, request: dict[str, Any], payload: memoryview) -> tuple[dict[str, Any], bytes]:  # noqa: ARG002
        verb, args = request["verb"], request["args"]
        try:
            if verb == "open":
                self._cluster, value = open_cluster(*args), None
            else:
                value = _VERBS[verb](self._cluster, *args)
        except Exception as error:  # noqa: BLE001 (the parent raises it, and goes on with this process)
            return {"error": f"{type(error).__name__}: {error}"}, b""
        return {"value": value}, b""

    def leave(self, *, abandoned: bool) -> None:
        # Nobody is there to be told of a cluster that does not stop.
        with contextlib.suppress(Exception):
            if self._cluster is not None and abandoned:
                stop(self._cluster)
        os.chdir("/")
        self._folder.cleanup()


if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parents[1] / "_child_loop.py"))["serve"](Worker())
