"""The option tree takes attributes, dicts and constructors, and nothing it does not know."""

import copy
import functools
import pickle

import pytest

from qctrl.compiler import CompileOptions, Decoupling
from qctrl.primitives.option_tree import make_options
from qctrl.primitives.options import EstimatorOptions, SamplerExecutionOptions, SamplerOptions


def test_the_defaults_are_those_of_the_guide():
    assert SamplerOptions().default_shots == 1024
    assert EstimatorOptions().default_precision == 0.01


def test_attributes_dicts_and_the_constructor_set_the_same():
    tree = make_options(SamplerOptions, {"default_shots": 4096, "execution": {"chunk_shots": 1000}})
    by_hand = SamplerOptions(default_shots=4096)
    by_hand.execution.chunk_shots = 1000
    by_update = SamplerOptions()
    by_update.update(default_shots=4096, execution={"chunk_shots": 1000})
    by_group = SamplerOptions(default_shots=4096, execution=SamplerExecutionOptions(chunk_shots=1000))
    by_dict = SamplerOptions(default_shots=4096, execution={"chunk_shots": 1000})
    assert tree == by_hand == by_update == by_group == by_dict
    assert tree.to_dict() == {
        "default_shots": 4096,
        "execution": {"chunk_shots": 1000, "rep_delay": None, "init_qubits": True, "meas_type": "classified"},
        "dynamical_decoupling": {
            "enable": False,
            "sequence_type": "XX",
            "extra_slack_distribution": "middle",
            "scheduling_method": "alap",
            "skip_reset_qubits": False,
        },
        "twirling": {
            "enable_gates": False,
            "enable_measure": False,
            "num_randomizations": "auto",
            "shots_per_randomization": "auto",
            "strategy": "active-accum",
        },
        "simulator": {"seed_simulator": None},
        "environment": {"job_tags": None},
        "max_execution_time": None,
    }
    assert make_options(SamplerOptions, tree) is tree
    assert make_options(SamplerOptions, None) == SamplerOptions()


def test_a_group_given_as_a_dict_keeps_the_rest_of_the_group():
    tree = SamplerOptions()
    tree.execution.rep_delay = 1e-4
    tree.execution = {"meas_type": "kerneled"}
    assert (tree.execution.rep_delay, tree.execution.meas_type) == (1e-4, "kerneled")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"default_shot": 5}, "SamplerOptions has no option 'default_shot'; did you mean 'default_shots'"),
        ({"execution": {"chunkshots": 5}}, "did you mean 'chunk_shots'"),
        ({"meas_type": "kerneled"}, r"did you mean 'execution\.meas_type'\? A dict is nested, group by group"),
        ({"execution.rep_delay": 0.1}, r"did you mean 'execution\.rep_delay'\? A dict is nested"),
        (
            {"zzz": 5},
            "it has default_shots, dynamical_decoupling, environment, execution, max_execution_time, simulator",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(given, message):
    with pytest.raises(AttributeError, match=message):
        make_options(SamplerOptions, given)
    with pytest.raises(ValueError, match=message):
        SamplerOptions(**given)


@pytest.mark.parametrize(
    ("cls", "path", "message"),
    [
        (SamplerOptions, "experimental.fast", "there is nothing experimental to switch on"),
        (SamplerOptions, "environment.log_level", "EnvironmentOptions has no option 'log_level'; .*logging"),
        (SamplerOptions, "environment.callback", r"use job\.on_progress"),
        (SamplerOptions, "simulator.noise_model", "the emulator plays the device itself"),
        (SamplerOptions, "run_options", r"execution has meas_type and rep_delay"),
        (EstimatorOptions, "resilience.zne.extrapolated_noise_factors", "values are extrapolated to 0"),
        (EstimatorOptions, "execution.meas_type", "ExecutionOptions has no option 'meas_type'"),
    ],
)
def test_what_other_providers_have_is_refused_with_the_reason(cls, path, message):
    """Assigned, read or given as a dict: an option that would do nothing does not exist."""
    tree = cls()
    *groups, name = path.split(".")
    with pytest.raises(AttributeError, match=message):
        setattr(functools.reduce(getattr, groups, tree), name, True)
    with pytest.raises(AttributeError, match=message):
        functools.reduce(getattr, (*groups, name), tree)
    with pytest.raises(AttributeError, match=message):
        make_options(cls, functools.reduce(lambda value, key: {key: value}, (name, *reversed(groups)), True))


@pytest.mark.parametrize(
    ("cls", "name"),
    [(SamplerOptions, "seed_simulator"), (EstimatorOptions, "seed_simulator"), (EstimatorOptions, "seed_estimator")],
)
def test_names_of_qiskits_primitives_are_the_options_of_the_groups(cls, name):
    tree = make_options(cls, {name: 5})
    assert getattr(tree, name) == tree.simulator.seed_simulator == 5
    setattr(tree, name, 6)
    assert tree == make_options(cls, {"simulator": {"seed_simulator": 6}})
    with pytest.raises(ValueError, match=r"seed_simulator is -1; it must be a whole number"):
        setattr(tree, name, -1)


def test_abelian_grouping_is_a_choice_of_groups():
    tree = EstimatorOptions()
    assert tree.abelian_grouping is True
    tree.abelian_grouping = False
    assert (tree.grouping, tree.abelian_grouping) == ("none", False)
    tree.abelian_grouping = True
    assert tree == EstimatorOptions()
    tree.grouping = "commuting"
    assert tree.abelian_grouping is True
    with pytest.raises(ValueError, match="abelian_grouping is 'no'; it must be one of True, False"):
        tree.abelian_grouping = "no"


def test_decoupling_is_told_to_the_compiler_where_it_is_enabled():
    tree = make_options(SamplerOptions, {"dynamical_decoupling": {"scheduling_method": "asap"}})
    assert tree.dynamical_decoupling.compile_options() == CompileOptions()
    tree.dynamical_decoupling.update(enable=True, sequence_type="XY4", skip_reset_qubits=True)
    assert tree.dynamical_decoupling.compile_options() == CompileOptions("asap", Decoupling("XY4", "middle", True))


def test_trees_can_be_copied_and_pickled():
    tree = SamplerOptions(default_shots=3)
    for other in (copy.deepcopy(tree), pickle.loads(pickle.dumps(tree))):
        assert other == tree
        other.execution.rep_delay = 1.0
        assert tree.execution.rep_delay is None


@pytest.mark.parametrize(
    "given",
    [
        {"default_shots": 0},
        {"max_execution_time": 0},
        {"max_execution_time": "1h"},
        {"default_shots": True},
        {"default_shots": 10.0},
        {"execution": {"chunk_shots": -1}},
        {"execution": {"rep_delay": float("nan")}},
        {"execution": {"rep_delay": -1e-6}},
        {"execution": {"init_qubits": False}},
        {"execution": {"meas_type": "raw"}},
        {"dynamical_decoupling": {"enable": 1}},
        {"twirling": {"num_randomizations": 0}},
        {"twirling": {"shots_per_randomization": "many"}},
        {"twirling": {"strategy": "passive"}},
        {"dynamical_decoupling": {"sequence_type": "XY8"}},
        {"dynamical_decoupling": {"extra_slack_distribution": "end"}},
        {"dynamical_decoupling": {"scheduling_method": "soon"}},
        {"simulator": {"seed_simulator": -1}},
        {"environment": {"job_tags": "bell"}},
        {"environment": {"job_tags": [1]}},
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(given):
    with pytest.raises(ValueError, match="it must be"):
        make_options(SamplerOptions, given)


@pytest.mark.parametrize("precision", [0, -0.1, float("nan"), float("inf"), True, "0.1"])
def test_a_precision_that_no_shots_reach_is_refused(precision):
    with pytest.raises(ValueError, match="a finite number above 0"):
        EstimatorOptions(default_precision=precision)


def test_terms_are_grouped_qubit_by_qubit_unless_told_otherwise():
    assert not EstimatorOptions().entangles()
    assert EstimatorOptions(grouping="commuting").entangles()
    assert not EstimatorOptions(grouping="commuting", resilience_level=2).entangles()
    with pytest.raises(ValueError, match="it must be one of 'qubit_wise', 'commuting'"):
        EstimatorOptions(grouping="all")


def test_a_group_is_no_number():
    with pytest.raises(TypeError, match="option execution is a group"):
        make_options(SamplerOptions, {"execution": 3})
    with pytest.raises(TypeError, match="options must be a dict or SamplerOptions, not int"):
        make_options(SamplerOptions, 3)
