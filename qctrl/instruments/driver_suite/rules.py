"""Which rules hold for which role, and those that hold for all."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Final, TypeAlias

from qctrl.errors import ConfigError, InstrumentError
from qctrl.instruments.boxes.base import Box
from qctrl.instruments.driver_suite import inputs, outputs
from qctrl.instruments.driver_suite.subject import Subject, require, require_refusal

Rule: TypeAlias = Callable[[Subject], None]


def sources_are_named(subject: Subject) -> None:
    """The docstring says where the commands come from, and what was never tried on a real instrument."""
    kind = type(subject.make("subject", subject.entry))
    said = f"{inspect.getdoc(kind) or ''}\n{inspect.getdoc(sys.modules[kind.__module__]) or ''}"
    require("tried on a real instrument" in said, "the docstring says what was (never) tried on a real instrument")
    require("ommands" in said, "the docstring says where the commands come from")


def connection_tells_who_answers(subject: Subject) -> None:
    """``connect`` returns who answers; ``health`` says the same, with no error and the limits that are kept."""
    with subject.driver() as box:
        require(not box.is_connected(), "a driver is not connected before connect")
        identity = box.connect()
        require(bool(identity.maker and identity.model), "connect returns maker and model")
        require(box.is_connected(), "a driver is connected after connect")
        for _ in range(2):
            health = box.health()
            require(health.identity == identity, "health names the instrument that connect found")
            require(health.errors == (), f"the error queue is empty after connect, not {health.errors}")
            require(bool(health.limits), "health says which limits are kept")
        require(box.is_connected(), "health changes nothing")
        box.close()
        box.close()
        require(not box.is_connected(), "a driver is not connected after close")
        require(box.connect() == identity, "a driver can be connected again")


def another_instrument_is_refused(subject: Subject) -> None:
    """An instrument with another serial number is left alone."""
    with subject.driver() as box:
        box.connect()
        require(bool(box.health().identity.serial), "connect returns the serial number")
    other = subject.make("subject", subject.entry.model_copy(update={"serial": "no such serial number"}))
    try:
        require_refusal(InstrumentError, other.connect, "an instrument with another serial number")
    finally:
        other.close()


def safe_state_needs_nothing(subject: Subject) -> None:
    """``safe_state`` connects by itself if it must, and may come twice."""
    with subject.driver() as box:
        box.safe_state()
        box.safe_state()


_ALL: Final[tuple[Rule, ...]] = (
    sources_are_named,
    connection_tells_who_answers,
    another_instrument_is_refused,
    safe_state_needs_nothing,
)
_OF_ROLE: Final[dict[str, tuple[Rule, ...]]] = {
    "upload": outputs.GENERATOR,
    "acquired": inputs.DIGITIZER,
    "switch_on": outputs.OSCILLATOR,
    "ramp": outputs.SOURCE,
}
"""By the verb that only this role has."""


def rules_for(box: Box) -> tuple[Rule, ...]:
    """Return the rules that a driver has to keep; each raises ``BrokenRuleError`` if it is broken.

    Args:
        box: The driver; its role is told by its verbs.

    Raises:
        ConfigError: It has no role, or several.
    """
    roles = [verb for verb in _OF_ROLE if hasattr(box, verb)]
    if len(roles) != 1:
        raise ConfigError(f"driver {type(box).__name__} has {len(roles)} roles, not one; see qctrl.instruments.boxes")
    return (*_ALL, *_OF_ROLE[roles[0]])
