"""Stands in for the vendor's package in a child: a cluster that takes everything and fails as ``FAKE_FAULT`` says."""

import enum
import os
import time
from pathlib import Path
from types import SimpleNamespace

FAULT = os.environ.get("FAKE_FAULT", "")


class ClusterType(enum.Enum):
    CLUSTER_QCM = "QCM"
    CLUSTER_QCM_RF = "QCM-RF"
    CLUSTER_QRM = "QRM"
    CLUSTER_QRM_RF = "QRM-RF"


class DummyBinnedAcquisitionData:
    def __init__(self, data, thres, avg_cnt):
        self.data, self.thres, self.avg_cnt = data, thres, avg_cnt


def ignore(*args, **kwargs):
    return None


class Part:
    """Every parameter may be set."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return ignore


class Sequencer(Part):
    def __init__(self):
        self.n_bins = 0

    def sequence(self, content):
        if FAULT == "refuse":
            raise RuntimeError("assembly failed")
        self.n_bins = sum(each["num_bins"] for each in content["acquisitions"].values())


class Module(Part):
    def __init__(self, slot, kind):
        self.slot_idx, self.module_type, self.is_rf_type = slot, kind.removesuffix("-RF"), kind.endswith("-RF")
        for k in range(6):
            setattr(self, f"sequencer{k}", Sequencer())

    def present(self):
        return True

    def disconnect_outputs(self):
        with Path(os.environ.get("FAKE_LOG", os.devnull)).open("a") as log:
            log.write(f"disconnected {self.slot_idx}\n")

    def get_sequencer_status(self, sequencer):
        errors = ["SEQUENCE_PROCESSOR_RT_EXEC_COMMAND_UNDERFLOW"] if FAULT == "underflow" else []
        state = "RUNNING" if FAULT == "stuck" else "STOPPED"
        return SimpleNamespace(status="ERROR" if errors else "OKAY", state=state, err_flags=errors)

    def get_acquisitions(self, sequencer):
        n = getattr(self, f"sequencer{sequencer}").n_bins
        count = [1] * (n - 1) + [0] if FAULT == "missing" else [1] * n
        values = {"path0": [100.0 * (-1) ** k for k in range(n)], "path1": [0.0] * n}
        bins = {"integration": values, "threshold": [k % 2 for k in range(n)], "avg_cnt": count}
        return {"shots": {"acquisition": {"bins": bins}}}


class Cluster(Part):
    def __init__(self, name, address="", dummy_cfg=None):
        kinds = dummy_cfg or {2: ClusterType.CLUSTER_QCM}
        self.modules = [Module(slot, kind.value) for slot, kind in kinds.items()]
        for module in self.modules:
            setattr(self, f"module{module.slot_idx}", module)

    def get_idn(self):
        if FAULT == "slow":
            time.sleep(60)
        if FAULT == "dead":
            os._exit(1)
        versions = {"application": {"version": "1.2.3"}}
        return {"manufacturer": "qblox", "model": "cluster_mm", "serial_number": "42", "firmware": versions}

    def get_system_status(self):
        return SimpleNamespace(status="OKAY", flags=["PLL_UNLOCKED"] if FAULT == "unlocked" else [])

    def get_num_system_error(self):
        return 1 if FAULT == "queue" else 0

    def get_system_error(self):
        return '-100,"Something"'

    def reference_source(self):
        return "internal"
