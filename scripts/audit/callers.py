"""Who may call what: every function that changes anything, from everybody, on the deployed contracts."""

from __future__ import annotations

from .pytests import Run
from .results import Part, Row

_TESTS = tuple(
    f"tests/contracts/test_{name}.py" for name in ("caller_matrix", "callers", "owner", "parameter_bounds", "timelock")
)
_ROWS = {
    "every selector of every contract is in the matrix": (
        "test_every_contract_is_in_the_matrix",
        "test_every_selector_is_in_the_matrix",
        "test_every_selector_of_the_timelock_is_in_the_matrix",
        "test_the_modules_have_between_them_what_is_routed",
    ),
    "the owner's, asked for by all others": ("test_only_the_owner", "test_nobody_renounces_ownership"),
    "guardian's, treasury's, one contract's": ("test_only_who_is_meant",),
    "an account's, the caller's own, anyone's": (
        "test_only_the_owner_of_the_account",
        "test_what_is_the_caller_s_own",
        "test_anyone",
    ),
    "the timelock's roles": (
        "test_only_roles_of_the_timelock",
        "test_no_role_of_the_timelock_is_given_up_for_another",
        "test_who_deployed_has_nothing_left",
        "test_nothing_before_its_delay",
        "test_not_less_than_its_delay",
    ),
    "modules, called directly by everybody": ("test_a_module_is_never_called_directly",),
    "forwarders, other selectors, ether": (
        "test_there_is_no_forwarder_and_nothing_like_it",
        "test_an_address_behind_the_calldata_is_nobody",
        "test_no_other_selector_answers",
        "test_nobody_takes_ether",
    ),
    "bounds of parameters": (
        "test_a_parameter_of_a_market_is_within_its_bounds",
        "test_any_other_parameter_is_within_its_bounds",
        "test_every_number_that_the_owner_may_set_is_here",
    ),
}


def run() -> Part:
    """A row for each kind of function; the tests themselves are those of `make test`."""
    part = Part("Caller matrix")
    outcome = Run("audit-callers", *_TESTS).outcome()
    part.faults = outcome.faults
    for what, names in _ROWS.items():
        good, bad = outcome.of(*names)
        part.faults += [f"no case of {name} was run" for name in names if not outcome.passed[name]]
        part.rows.append(Row(what, good + bad, found=f"{good} of {good + bad} pass", holds=good > 0 and not bad))
    others = {name for name in outcome.passed if not any(name in names for names in _ROWS.values())}
    good = sum(outcome.passed[name] for name in others)
    part.rows.append(Row("wiring, ownership, halts", good, found=f"{good} pass", holds=good > 0))
    return part
