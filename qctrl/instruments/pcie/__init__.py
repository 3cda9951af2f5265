"""Digitizers on PCIe: an interface to vendors' libraries, tried with a fake card only."""

from qctrl.instruments.pcie.digitizer import Card, CardIdentity, PcieDigitizer

__all__ = ["Card", "CardIdentity", "PcieDigitizer"]
