"""Emulated instrument: plays packed programs on the physics of a device, behind the wire of the real one."""

import os

# Before NumPy is loaded, unless the user decides: matrices of a few qubits gain nothing from threads, lose up to ten
# times on a busy machine, and the number of cores must not decide the last bit of a result.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
