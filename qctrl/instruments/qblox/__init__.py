"""Qblox clusters: packed programs as Q1ASM, and the driver that plays them."""

from qctrl.instruments.qblox.layout import ClusterWiring, cluster_wiring
from qctrl.instruments.qblox.sequences import ClusterProgram, SequencerProgram, to_q1asm

__all__ = ["ClusterProgram", "ClusterWiring", "SequencerProgram", "cluster_wiring", "to_q1asm"]
