"""The contract of a driver as rules that any driver of a box can be held to, without knowing its instrument."""

from qctrl.instruments.driver_suite.rules import Rule, rules_for
from qctrl.instruments.driver_suite.subject import BrokenRuleError, Subject

__all__ = ["BrokenRuleError", "Rule", "Subject", "rules_for"]
