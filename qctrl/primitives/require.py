"""What both primitives ask of the backend that they are given."""

from __future__ import annotations

from qctrl.provider import Backend


def require_backend(backend: object, mode: object, primitive: str) -> Backend:
    """Return the backend of a primitive, given as ``backend`` or as ``mode``.

    Raises:
        TypeError: Both or none is given, or what is given is not a backend of this stack.
    """
    if backend is not None and mode is not None:
        raise TypeError(f"{primitive} takes backend or mode, not both")
    given = mode if backend is None else backend
    if isinstance(given, Backend):
        return given
    if given is None:
        raise TypeError(f"{primitive} needs a backend: {primitive}(ProviderService().backend(name))")
    raise TypeError(
        f"{primitive} needs a backend of ProviderService, not {type(given).__name__}; "
        f"for other backends use qiskit.primitives.Backend{primitive}(backend=...)"
    )
