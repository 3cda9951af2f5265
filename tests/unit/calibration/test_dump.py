from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qctrl.calibration import Document, dump, load, loads
from tests.unit.compiler import cross

FOLDER = Path(__file__).parents[3] / "calibrations"
BASE = load(FOLDER / "pair2" / "nominal.yaml").document
CROSS = cross.calibration().document

TIMES = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20))


def values(low: float, high: float):
    number = st.floats(low, high, allow_nan=False)
    full = st.fixed_dictionaries(
        {"value": number},
        optional={
            "unc": st.floats(0, 1e9),
            "at": TIMES,
            "by": st.from_regex(r"run-[0-9]{1,6}", fullmatch=True),
            "ttl": st.floats(0, 1e9),
            "method": st.sampled_from(["irb", "rb", "fit"]),
        },
    )
    return number | full


@st.composite
def documents(draw):
    body = BASE.model_dump(by_alias=True, exclude_none=True)
    body |= {"message": draw(st.text(max_size=50)), "author": draw(st.text(max_size=20))}
    body["timing"]["bit_latency"] = draw(st.floats(0, 1e-3))
    qubit = body["qubits"][draw(st.sampled_from(list(body["qubits"])))]
    qubit |= {
        "frequency": draw(values(1e8, 5e10)),
        "t1": draw(values(1e-9, 10)),
        "operational": draw(st.booleans()),
        "thermal_population": draw(values(0, 1)),
    }
    qubit["gates"]["sx"]["waveform"]["amp"] = draw(values(-1, 1))
    zero, one = draw(st.floats(0, 1)), draw(st.floats(0, 1))
    qubit["readout"]["assignment"] = draw(st.sampled_from([[[zero, one], [1 - zero, 1 - one]]]))
    qubit["readout"]["discriminator"]["centroids"] = {"0": [draw(st.floats(-1, 1)), 0.0]}
    body["edges"]["q0-q1"]["gates"]["cz"]["virtual_z"]["q0"] = draw(values(-10, 10))
    body["ports"] = {"q0.drive": {"mixer": {"offset_i": draw(values(-1, 1))}}, "q1.flux": {"filters": {"iir": []}}}
    body["crosstalk"] = {"z": {"ports": ["q0.flux", "q1.flux"], "matrix": [[1.0, draw(st.floats(-1, 1))], [0.0, 1.0]]}}
    return Document.model_validate(body)


@st.composite
def cross_documents(draw):
    """Draw documents with cross-resonance, coupler and fractional gates, keys present or absent."""
    body = CROSS.model_dump(by_alias=True, exclude_none=True)
    rx = body["qubits"]["q0"]["gates"]["rx"]
    rx["angle_bounds"] = draw(st.tuples(st.floats(-3, 0), st.floats(0.5, 3)))
    rx["waveform"] |= {"amp": draw(values(-0.5, 0.5)), "detuning": draw(st.floats(-1e8, 1e8))}
    rx["error"] = draw(values(0, 1))
    tones = st.fixed_dictionaries({"amp": values(-0.5, 0.5)}, optional={"phase": st.floats(-9, 9)})
    ecr = body["edges"]["q1-q2"]["gates"]["ecr"]
    ecr |= {
        "echo": draw(st.booleans()),
        "virtual_z": draw(st.dictionaries(st.sampled_from(["q1", "q2"]), values(-9, 9))),
    }
    ecr |= draw(st.fixed_dictionaries({}, optional={"cancel": tones, "rotary": tones, "error": values(0, 1)}))
    body["edges"]["q0-q1"]["gates"]["rzz"]["symmetric"] = draw(st.booleans())
    body["edges"]["q0-q1"]["gates"]["cz"] |= {"leakage": draw(values(0, 1)), "symmetric": draw(st.booleans())}
    return Document.model_validate(body)


@given(cross_documents())
@settings(max_examples=60)
def test_documents_with_gates_of_every_kind_read_back_as_themselves_byte_for_byte(document):
    text = dump(document)
    again = loads(text).document
    assert again == document
    assert dump(again) == text


@given(documents())
@settings(max_examples=60)
def test_every_document_reads_back_as_itself(document):
    assert loads(dump(document)).document == document


@given(documents())
@settings(max_examples=30)
def test_dump_is_canonical(document):
    text = dump(document)
    assert dump(loads(text).document) == text
    assert text.isascii()


@pytest.mark.parametrize("device", ["pair2", "chain5", "heavyhex7", "grid20"])
def test_shipped_files_survive_a_round_trip(device):
    calibration = load(FOLDER / device / "nominal.yaml")
    again = loads(dump(calibration.document))
    assert again.document == calibration.document
    assert again.hash == calibration.hash


def test_one_changed_value_changes_one_line():
    text = (FOLDER / "pair2" / "nominal.yaml").read_text()
    before = dump(loads(text.replace("amp: 0.18", "amp: {value: 0.18, unc: 0.01}")).document).splitlines()
    after = dump(loads(text.replace("amp: 0.18", "amp: {value: 0.19, unc: 0.01}")).document).splitlines()
    different = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert set(different) == {("          amp: {value: 0.18, unc: 0.01}", "          amp: {value: 0.19, unc: 0.01}")}
