"""A rack of real instruments, from the first look to a Bell pair.

Left out unless ``pytest tests/hardware --hardware RACK.yaml`` names the rack. Everything that is switched on is printed
before it is, and everything but DC levels is off again after each test. Put the outputs on loads the first time.
"""

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile

from qctrl.access import ProviderService
from qctrl.config import load_rack
from qctrl.errors import QctrlError
from qctrl.execution import check_boxes
from qctrl.instruments import open_boxes
from qctrl.primitives import SamplerV2
from qctrl.signal import Player

pytestmark = pytest.mark.hardware
SHOTS = 200


@pytest.fixture(scope="module")
def file(request):
    file = request.config.getoption("--hardware")
    if load_rack(file).embedded:
        pytest.fail(f"{file} is emulated by the stack itself; name a rack whose boxes answer at their addresses")
    return file


@pytest.fixture(scope="module")
def service(file):
    with ProviderService(config=file) as found:
        yield found


@pytest.fixture
def say(capsys):
    """Print past pytest: whoever watches the bench reads it before anything happens."""

    def line(text):
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    return line


def test_every_box_is_in_order_before_anything_is_switched_on(file, say):
    found = check_boxes(load_rack(file))
    for name, health in found.items():
        say(f"{name}: {health}")
    assert not [name for name, health in found.items() if isinstance(health, QctrlError) or health.errors]
    assert all(health.reference_locked for health in found.values())
    assert not any(health.outputs_on for health in found.values() if "V/s" not in health.limits)


def test_settings_are_taken_with_all_outputs_off(file, service, say):
    rack = load_rack(file)
    (device,) = rack.devices
    setup = service.backend(device).setup
    driver = open_boxes(rack, device)
    for text in driver.announced(setup):
        say(f"will be set: {text}")
    try:
        driver.connect()
        driver.configure(setup)
        driver.safe_state()
    finally:
        driver.close()


def test_bell_pair(file, service, say):
    rack = load_rack(file)
    (device,) = rack.devices
    backend = service.backend(device)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    circuit = transpile(circuit, backend, seed_transpiler=1)
    for text in open_boxes(rack, device).announced(backend.setup):
        say(f"will be put out: {text}")
    player = Player(backend.compile(circuit).program, backend.setup)
    for port in backend.setup.ports:
        if port.kind != "acquire":
            peak_v = np.abs(player.render(port.name)).max(initial=0) * port.full_scale_v
            say(f"will be put out: {SHOTS} shots with a peak of {peak_v:.4g} V on {port.name}")
    counts = SamplerV2(backend).run([circuit], shots=SHOTS).result()[0].data.meas.get_counts()
    say(f"counts: {counts}")
    assert sum(counts.values()) == SHOTS
