"""Names of the tables that the tree's kernels share; what is in them stands at ``_tree_kernels.advance``."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Flags: TypeAlias = NDArray[np.bool_]
Words: TypeAlias = NDArray[np.uint64]
Integers: TypeAlias = NDArray[np.int64]
Reals: TypeAlias = NDArray[np.float64 | np.float32]
Complexes: TypeAlias = NDArray[np.complex128]
Layouts: TypeAlias = tuple[Integers, Integers, Integers, Integers, Integers, Integers]
Patterns: TypeAlias = tuple[Integers, Integers, Integers, Integers]
Layout: TypeAlias = tuple[Integers, Integers, int]
Pattern: TypeAlias = tuple[Integers, Integers]
Groups: TypeAlias = tuple[Integers, Integers, Integers]
Templates: TypeAlias = tuple[Integers, Integers, Integers, Complexes, Integers, Integers, Integers]
Gates: TypeAlias = tuple[Integers, Integers, Integers, Reals, Reals]
Channels: TypeAlias = tuple[Integers, Integers, Integers, Reals]
Blends: TypeAlias = tuple[Integers, Integers, Integers, Integers, Integers, Complexes]
Jumps: TypeAlias = tuple[Integers, Complexes, Complexes, Complexes, Complexes]
Kets: TypeAlias = tuple[Reals, Reals, int, int]
Book: TypeAlias = tuple[Integers, Reals, Integers, Integers]
Shots: TypeAlias = tuple[Words, np.uint64, Words, Reals, Words, Flags, Integers]
Work: TypeAlias = tuple[Reals, Reals]
Random: TypeAlias = tuple[Words, Words]
Memory: TypeAlias = tuple[Integers, Integers, Work, Work, Work, Work, Complexes, Reals, Random, Pattern]
