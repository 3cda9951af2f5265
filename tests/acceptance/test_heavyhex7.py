"""The device of fixed frequencies through the public names."""

from __future__ import annotations

from qctrl import ProviderService


def test_its_gates_are_directed_and_carry_measured_errors(service: ProviderService) -> None:
    target = service.backend("heavyhex7").target
    pairs = set(target.qargs_for_operation_name("ecr"))
    assert pairs == {(0, 1), (2, 1), (3, 1), (3, 5), (4, 5), (6, 5)}
    for pair in pairs:
        properties = target["ecr"][pair]
        assert 3e-3 < properties.error < 8e-3
        assert properties.duration == 4.72e-7
