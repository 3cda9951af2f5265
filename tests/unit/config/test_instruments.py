"""The boxes of a rack file: what can be said of them, and what cannot."""

import pytest
from pydantic_core import PydanticCustomError

from qctrl.config import RackInstrument
from qctrl.config.instruments import check_instruments

AWG = RackInstrument(kind="awg", address="A", channels={"q0.drive": (1, 2)}, trigger_channel=8)


def box(**said):
    return RackInstrument(kind="box", address="B", **said)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (box(channels={"q1.drive": (3, 3)}), "channel 3 is used twice"),
        (box(channels={"q0.drive": (3, 4)}), "port q0.drive is already on awg"),
        (box(bias={"q0.flux": 4, "q1.flux": 4}), "channel 4 is used twice"),
        (box(trigger_channel=1), "one generator gives the trigger, here awg, other"),
    ],
)
def test_boxes_that_cannot_work_together_are_refused(other, text):
    with pytest.raises(PydanticCustomError, match=text):
        check_instruments({"awg": AWG, "other": other})


def test_held_ports_are_those_of_one_output_or_of_many():
    assert box(ports=("q0.flux",)).held_ports == ("q0.flux",)
    assert box(bias={"q0.flux": 4, "q1.flux": 5}).held_ports == ("q0.flux", "q1.flux")
    check_instruments({"awg": AWG, "bias": box(bias={"q0.flux": 4})})


@pytest.mark.parametrize("driver", ["no colon", "os:system()", "a:b:c", ":x"])
def test_qcodes_driver_is_a_module_and_a_class(driver):
    with pytest.raises(ValueError, match="driver"):
        box(qcodes={"driver": driver})
