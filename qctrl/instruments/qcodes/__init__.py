"""QCoDeS instruments as oscillators and DC sources (extra ``qcodes``)."""

from qctrl.instruments.qcodes.adapter import QcodesOscillator, QcodesSource

__all__ = ["QcodesOscillator", "QcodesSource"]
