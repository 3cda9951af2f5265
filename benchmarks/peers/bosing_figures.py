"""Figures of bosing, run by its own environment: a tree of Python objects in, samples out."""

from __future__ import annotations

import bosing
from workloads import N_PLAYS, SAMPLES_PER_PLAY, WORKLOADS, least_s, report

RATE_HZ = 2e9
WIDTH_S = SAMPLES_PER_PLAY / RATE_HZ
SHAPES = {"hann": bosing.Hann()}
ONE_IIR = [[0.95, -0.9, 0.0, 1.0, -0.94, 0.0]]


def tree(gates: list[tuple[str, tuple[int, ...], float]]) -> bosing.Element:
    """Return the schedule of a circuit."""
    children: list[bosing.Element] = []
    for name, qubits, angle in gates:
        qubit = qubits[0]
        if name == "rz":
            children.append(bosing.ShiftPhase(f"d{qubit}", angle))
        elif name == "sx":
            children.append(bosing.Play(f"d{qubit}", "hann", 0.3, WIDTH_S, drag_coef=2e-10))
        elif name == "cz":
            barrier = bosing.Barrier(*(f"{kind}{q}" for q in qubits for kind in "dz"))
            children += [barrier, bosing.Play(f"z{qubit}", "hann", 0.3, 4e-8, plateau=2e-8), barrier]
        else:
            children += [
                bosing.Barrier(f"d{qubit}", f"m{qubit}"),
                bosing.Play(f"m{qubit}", "hann", 0.1, 4e-8, plateau=3.6e-7),
            ]
    return bosing.Stack(*children)


def channels(gates: list[tuple[str, tuple[int, ...], float]]) -> dict[str, bosing.Channel]:
    """Return a drive, flux and readout channel of each qubit."""
    n_qubits = 1 + max(qubit for _, qubits, _ in gates for qubit in qubits)
    return {
        f"{kind}{q}": bosing.Channel(0.0 if kind == "z" else 5e7, RATE_HZ, is_real=kind == "z")
        for q in range(n_qubits)
        for kind in "dzm"
    }


def rendering_s(**filters: object) -> float:
    """Return the time of rendering dense DRAG plays on one channel."""
    channel = {"d": bosing.Channel(5e7, RATE_HZ, N_PLAYS * SAMPLES_PER_PLAY, **filters)}
    plays = [bosing.Play("d", "hann", 0.4, WIDTH_S, drag_coef=2e-10, phase=0.1 * (k % 7)) for k in range(N_PLAYS)]
    schedule = bosing.Stack(*plays)
    return least_s(lambda: bosing.generate_waveforms(channel, SHAPES, schedule))


def main() -> None:
    """Measure and report."""
    figures: dict[str, float] = {}
    for name, make in WORKLOADS.items():
        circuits = make()
        lines = [channels(gates) for gates in circuits]
        figures[name] = least_s(
            lambda circuits=circuits, lines=lines: [
                bosing.generate_waveforms(line, SHAPES, tree(gates))
                for line, gates in zip(lines, circuits, strict=True)
            ]
        )
    real_samples = 2 * N_PLAYS * SAMPLES_PER_PLAY
    figures["render"] = real_samples / rendering_s()
    figures["render filtered"] = real_samples / rendering_s(iir=ONE_IIR)
    report(figures)


if __name__ == "__main__":
    main()
