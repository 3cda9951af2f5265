"""Packed registers and captures become ``BitArray`` and ``DataBin``."""

from qctrl.readout.data_bin import (
    RESERVED_NAMES,
    Register,
    bit_moves,
    check_register_names,
    last_captures,
    to_bit_array,
    to_data_bin,
    to_kerneled_bin,
)

__all__ = [
    "RESERVED_NAMES",
    "Register",
    "bit_moves",
    "check_register_names",
    "last_captures",
    "to_bit_array",
    "to_data_bin",
    "to_kerneled_bin",
]
