"""Options that users know from other providers and that mean nothing here yet, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_CHIP: Final = "the emulator plays the device itself: service.backend(name, noise=..., truth=...) chooses it"

SAMPLER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "experimental": "there is nothing experimental to switch on",
        "run_options": "of these, execution has meas_type and rep_delay, simulator has seed_simulator",
    }
)
ESTIMATOR: Final[Mapping[str, str]] = SAMPLER
RESILIENCE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pec_mitigation": "this release learns no noise model",
        "pec": "this release learns no noise model",
        "layer_noise_learning": "this release learns no noise model",
        "layer_noise_model": "this release learns no noise model",
        "measure_noise_learning": "measure_mitigation='correlated' measures it, with the shots that values take",
    }
)
ZNE: Final[Mapping[str, str]] = MappingProxyType(
    {"extrapolated_noise_factors": "values are extrapolated to 0; evs_noise_factors of a result are the measured ones"}
)
ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "log_level": "jobs log here: logging.getLogger('qctrl').setLevel(...)",
        "callback": "use job.on_progress(callback)",
        "private": "every job is stored on this machine alone, readable by its owner",
    }
)
SIMULATOR: Final[Mapping[str, str]] = MappingProxyType(
    {"noise_model": _CHIP, "coupling_map": _CHIP, "basis_gates": _CHIP, "set_backend": _CHIP}
)
