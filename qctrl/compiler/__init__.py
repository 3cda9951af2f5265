"""From circuits to packed pulse programs: lower, schedule, assemble, bind."""

from __future__ import annotations

from qctrl.compiler.assemble import assemble
from qctrl.compiler.bind import bind
from qctrl.compiler.blame import blame
from qctrl.compiler.cache import CacheStats, CompileCache
from qctrl.compiler.compile_options import DEFAULT, CompileOptions, Decoupling
from qctrl.compiler.custom_checks import check_gate
from qctrl.compiler.custom_gates import make_gate, structural_parameters
from qctrl.compiler.lower import lower
from qctrl.compiler.pipeline import compile_circuit, compile_many
from qctrl.compiler.program import CompiledProgram
from qctrl.compiler.resources import PortUse, Resources, Use
from qctrl.compiler.schedule import schedule

__all__ = [
    "DEFAULT",
    "CacheStats",
    "CompileCache",
    "CompileOptions",
    "CompiledProgram",
    "Decoupling",
    "PortUse",
    "Resources",
    "Use",
    "assemble",
    "bind",
    "blame",
    "check_gate",
    "compile_circuit",
    "compile_many",
    "lower",
    "make_gate",
    "schedule",
    "structural_parameters",
]
