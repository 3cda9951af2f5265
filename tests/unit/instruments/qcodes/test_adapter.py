"""QCoDeS instruments behind the adapter: the rules of all drivers, and QCoDeS' own SGS100A before the emulated one."""

import json
from pathlib import Path

import psutil
import pytest

from firmware_sim.scpi.models import MODELS
from firmware_sim.scpi.wire import Wire
from qctrl.config import InstrumentLimits, QcodesDriver, RackInstrument
from qctrl.errors import ConfigError, InstrumentError, InstrumentTimeoutError, MissingExtraError, ResourceError
from qctrl.instruments.boxes import open_box
from qctrl.instruments.driver_suite import Subject, rules_for
from qctrl.instruments.qcodes import adapter

ROOT = Path(__file__).resolve().parents[4]
PLAIN = "tests.unit.instruments.qcodes.plain_driver:Plain"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path / "box.json"


def oscillator(file, **words):
    driver = QcodesDriver(driver=PLAIN, settings={"file": str(file)}, frequency="rf.frequency", **words)
    limits = InstrumentLimits(max_power=15.0)
    return RackInstrument(kind="qcodes_oscillator", address="none", ports=("q0.drive",), qcodes=driver, limits=limits)


def source(file, output="status"):
    driver = QcodesDriver(driver=PLAIN, settings={"file": str(file)}, level="v{output}", output=output)
    limits = InstrumentLimits(max_level=0.5, max_slew=10.0)
    return RackInstrument(kind="qcodes_source", address="none", bias={"q0.flux": 2}, qcodes=driver, limits=limits)


@pytest.mark.parametrize("entry", [oscillator, source])
def test_adapter_keeps_the_contract(file, entry):
    subject = Subject(open_box, entry(file))
    for rule in rules_for(open_box("box", subject.entry)):
        rule(subject)


def test_source_without_a_switch_ramps_in_small_steps(file):
    box = open_box("bias", source(file, output=None))
    box.connect()
    box.ramp("q0.flux", 0.4)
    box.ramp("q0.flux", 0.4)
    box.close()
    log = [value for key, value in json.loads(file.read_text())["log"] if key == "v2"]
    assert max(b - a for a, b in zip([0.0, *log], log, strict=False)) <= 10.0 * 0.02 + 1e-12
    assert log[-1] == 0.4
    assert len(log) == 2


def test_hanging_call_is_given_up_and_a_killed_host_leaves_the_output_off(file, monkeypatch):
    monkeypatch.setattr(adapter, "_CALL_S", 0.3)
    monkeypatch.setattr("qctrl.instruments.child._OUTER_SLACK_S", 0.2)
    box = open_box("lo", oscillator(file))
    box.connect()
    box.switch_on()
    with pytest.raises(InstrumentTimeoutError, match=r"lo at none: get 'hangs' was not answered within 0\.3 s"):
        box.get("hangs")
    assert not box.is_connected()
    box.connect()
    process = psutil.Process(box._child.pid)
    box._child._channel.close()  # what it sees of a host that was killed
    process.wait(5)
    assert json.loads(file.read_text())["status"] == "off"
    box.close()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"power": "nonsense"}, "set 'nonsense': AttributeError"),
        ({"settings": {"file": "x", "what": 1}}, "cannot be opened: TypeError"),
        ({"driver": "no.such.module:Driver"}, "No module named 'no'"),
    ],
)
def test_wrong_words_in_the_rack_file_are_an_error_with_the_box(file, words, text):
    entry = oscillator(file)
    box = open_box("lo", entry.model_copy(update={"qcodes": entry.qcodes.model_copy(update=words)}))
    with pytest.raises((InstrumentError, MissingExtraError), match=text):
        box.connect().model, box.configure(5e9, 1.0)
    box.close()


def test_rack_file_has_to_name_the_driver():
    entry = RackInstrument(kind="qcodes_source", address="none", ports=("q0.flux",))
    with pytest.raises(ConfigError, match=r"instruments\.bias: a qcodes_source needs qcodes: \{driver"):
        open_box("bias", entry)


def test_driver_of_qcodes_itself_drives_the_emulated_box():
    pytest.importorskip("qcodes")
    pytest.importorskip("pyvisa_py")
    instrument = MODELS["rohde_schwarz_sgs100a"]("101001")
    wire = Wire(instrument, "127.0.0.1", 0)
    driver = QcodesDriver(
        driver="qcodes.instrument_drivers.rohde_schwarz:RohdeSchwarzSGS100A", settings={"visalib": "@py"}
    )
    entry = RackInstrument(
        kind="qcodes_oscillator",
        address=f"TCPIP0::127.0.0.1::{wire.port}::SOCKET",
        serial="101001",
        ports=("q0.drive",),
        limits=InstrumentLimits(max_power=15.0),
        qcodes=driver,
    )
    box = open_box("lo", entry)
    try:
        assert box.connect().model == "SGS100A/1416.0505k02"
        box.configure(4.9e9, 13.0)
        box.switch_on()
        assert (instrument.frequency_hz, instrument.power_dbm, instrument.on) == (4.9e9, 13.0, True)
        assert box.health().outputs_on
        with pytest.raises(ResourceError, match="power of 16 dBm is beyond its limit of 15 dBm"):
            box.configure(5e9, 16.0)
        box.safe_state()
        assert not instrument.on
    finally:
        box.close()
        wire.close()
