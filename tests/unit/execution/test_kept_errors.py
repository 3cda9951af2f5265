import pytest

from qctrl.errors import InstrumentFault, JobCancelledError, QctrlError
from qctrl.execution import afresh, forget_frames


def raised(error, cause=None):
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def test_kept_error_and_its_causes_remember_no_frames():
    part = raised(ValueError("part"))
    whole = raised(ExceptionGroup("whole", [part]))
    context = raised(KeyError("context"))
    error = raised(QctrlError("last"), whole)
    whole.__context__, context.__context__ = context, error
    forget_frames(error)
    assert [each.__traceback__ for each in (error, whole, context, part)] == [None] * 4
    assert error.__cause__ is whole


def test_error_is_raised_afresh_with_all_it_says():
    error = raised(InstrumentFault("jammed", name="lo1", fault_code="E7"), OSError("cable"))
    error.add_note("look at the cable")
    for _ in range(2):
        with pytest.raises(InstrumentFault, match="jammed") as caught:
            raise afresh(error)
        assert caught.value is not error
        assert (caught.value.name, caught.value.fault_code) == ("lo1", "E7")
        assert caught.value.__cause__ is error.__cause__
        assert caught.value.__notes__ == ["look at the cable"]
    assert raised(afresh(JobCancelledError("x", job_id="j1"))).job_id == "j1"


def test_defect_that_nobody_can_copy_is_raised_itself():
    class NeedsTwoError(Exception):
        def __init__(self, one, two):
            super().__init__("both")

    error = NeedsTwoError(1, 2)
    assert afresh(error) is error
