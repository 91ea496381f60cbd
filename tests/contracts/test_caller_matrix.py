"""Who is asked for which function: every selector of every contract, by class, tried by everybody who is not meant."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from ape import project
from eth_utils.crypto import keccak

from scripts.stage.system import System
from scripts.stage.venue import Venue
from tests.support.acting import RefusedError, act, in_words, refused
from tests.support.callers import (
    EXCHANGE_MODULES,
    FUND_MODULES,
    MATRIX,
    Caller,
    contract_of,
    everybody,
    of_class,
)
from tests.support.desk import Desk
from tests.support.proofs import nothing_changes

DAY = 86_400
# Each class whose error names who called, with those who are meant and the error.
NAMED_ERRORS = {
    Caller.GUARDIAN: (("guardian",), "CallerNotGuardian"),
    Caller.GUARDIAN_OR_OWNER: (("guardian", "owner"), "CallerNotGuardian"),
    Caller.TREASURY: (("treasury",), "CallerNotTreasury"),
    Caller.ENGINE: (("engine",), "CallerNotEngine"),
    Caller.FUND: (("fund",), "CallerNotFund"),
    Caller.EXCHANGE: (("exchange",), "CallerNotExchange"),
    Caller.BATCH: (("exchange",), "OnlyWithinBatch"),
    Caller.SHARES: (("shares",), "CallerNotShares"),
}
# What a contract says where the caller is not who is meant.
ACCESS_ERRORS = (
    "CallerNot",
    "OwnableUnauthorizedAccount",
    "NotAccountOwner",
    "OnlyByDelegatecall",
    "OnlyWithinBatch",
    "AccessControl",
    "TimelockUnauthorizedCaller",
)
OF_SYSTEM = [name for name in MATRIX if name != "timelock"]


@pytest.fixture(scope="module")
def roles(desk: Desk) -> Desk:
    """The desk, with a treasury and a guardian."""
    act(desk.venue.owner, desk.exchange.setTreasury, desk.trader("treasury").address)
    act(desk.venue.owner, desk.exchange.setGuardian, desk.trader("guardian").address)
    return desk


@pytest.fixture(scope="module")
def timelock(venue: Venue, desk: Desk) -> Any:
    """A timelock of a day: one proposes and cancels, another executes, nobody is its admin but itself."""
    proposer, executor = desk.trader("proposer"), desk.trader("executor")
    return venue.owner.deploy(project.BackstopTimelock, DAY, [proposer.address], [executor.address], "0x" + "0" * 40)


# ---------------------------------------------------------------------- nothing is left out


def test_every_contract_is_in_the_matrix() -> None:
    assert set(MATRIX) == {field.name for field in fields(System)} - {"token", "block"} | {"shares", "timelock"}


def methods_of(contract: Any) -> list[Any]:
    return list(contract.contract_type.mutable_methods)


@pytest.mark.parametrize("name", OF_SYSTEM)
def test_every_selector_is_in_the_matrix(desk: Desk, name: str) -> None:
    """By its name, which stands for one selector; whatever else a contract answers is a view."""
    methods = methods_of(contract_of(desk, name))
    assert len({method.selector for method in methods}) == len(methods)
    assert sorted(method.name for method in methods) == sorted(MATRIX[name])


def test_every_selector_of_the_timelock_is_in_the_matrix(timelock: Any) -> None:
    assert sorted(method.name for method in methods_of(timelock)) == sorted(MATRIX["timelock"])


@pytest.mark.parametrize(("name", "modules"), [("exchange", EXCHANGE_MODULES), ("fund", FUND_MODULES)])
def test_the_modules_have_between_them_what_is_routed(desk: Desk, name: str, modules: tuple[str, ...]) -> None:
    """Each routed selector is one of the router's own, with the same arguments, and of one module only."""
    selectors = [method.selector for module in modules for method in methods_of(contract_of(desk, module))]
    assert len(selectors) == len(set(selectors))
    assert set(selectors) <= {method.selector for method in methods_of(contract_of(desk, name))}


# ---------------------------------------------------------------------- each class, tried by all others


@pytest.mark.parametrize(("name", "function"), of_class(Caller.OWNER, Caller.HEIR))
def test_only_the_owner(roles: Desk, name: str, function: str) -> None:
    """An heir is nobody here, so that not even the owner may accept."""
    contract, entry = contract_of(roles, name), MATRIX[name][function]
    for caller, who in everybody(roles).items():
        if caller == "owner" and entry.caller is Caller.OWNER:
            continue
        with refused(contract.OwnableUnauthorizedAccount, account=who.address):
            act(who, getattr(contract, function), *entry.arguments)


@pytest.mark.parametrize("name", ["exchange", "fund", "round_book", "price_feed"])
def test_nobody_renounces_ownership(roles: Desk, name: str) -> None:
    contract = contract_of(roles, name)
    for caller, who in everybody(roles).items():
        if caller == "owner":
            continue
        with refused(contract.OwnableUnauthorizedAccount, account=who.address):
            act(who, contract.renounceOwnership)
    with refused(contract.OwnershipKept):
        act(roles.venue.owner, contract.renounceOwnership)
    assert contract.owner() == roles.venue.owner.address


@pytest.mark.parametrize(("name", "function"), of_class(*NAMED_ERRORS))
def test_only_who_is_meant(roles: Desk, name: str, function: str) -> None:
    contract, entry = contract_of(roles, name), MATRIX[name][function]
    meant, error = NAMED_ERRORS[entry.caller]
    for caller, who in everybody(roles).items():
        if caller in meant:
            continue
        with nothing_changes(roles.venue), refused(getattr(contract, error), caller=who.address):
            act(who, getattr(contract, function), *entry.arguments)


@pytest.mark.parametrize(("name", "function"), of_class(Caller.ACCOUNT))
def test_only_the_owner_of_the_account(roles: Desk, name: str, function: str) -> None:
    """Neither the owner of the contracts nor any of them stands above the owner of an account."""
    contract, entry = contract_of(roles, name), MATRIX[name][function]
    for who in everybody(roles).values():
        with nothing_changes(roles.venue):
            assert answer(who, getattr(contract, function), *entry.arguments) == "NotAccountOwner"


@pytest.mark.parametrize(("name", "function"), of_class(Caller.ROUTER))
def test_a_module_is_never_called_directly(roles: Desk, name: str, function: str) -> None:
    contract = contract_of(roles, name)
    for who in everybody(roles).values():
        with refused(roles.exchange.OnlyByDelegatecall):
            act(who, getattr(contract, function), *MATRIX[name][function].arguments)


@pytest.mark.parametrize(("name", "function"), [each for each in of_class(Caller.ANYONE) if each[0] != "timelock"])
def test_anyone(roles: Desk, name: str, function: str) -> None:
    """Whoever calls, it is not that which they are refused for, and the answer is the same for all."""
    contract, entry = contract_of(roles, name), MATRIX[name][function]
    callers = (roles.trader("stranger"), roles.venue.owner, roles.trader("guardian"))
    answers = {answer(who, getattr(contract, function), *entry.arguments) for who in callers}
    assert len(answers) == 1
    assert not answers.pop().startswith(ACCESS_ERRORS)


# What the owner of an account, a bond or shares does, and everybody else does to no effect on those.
OWN_OF_NOBODY = {
    ("shares", "transferFrom"): "ERC20InsufficientAllowance",
    ("shares", "redeem"): "ERC20InsufficientAllowance",
    ("shares", "withdraw"): "ERC20InsufficientAllowance",
}


@pytest.mark.parametrize(("name", "function"), [each for each in of_class(Caller.OWN) if each[0] != "timelock"])
def test_what_is_the_caller_s_own(roles: Desk, name: str, function: str) -> None:
    """Saver has an account, an order epoch, a bond, shares and an exit: nobody else's call touches any of them."""
    saver = saved(roles)
    contract, entry = contract_of(roles, name), MATRIX[name][function]
    arguments = tuple(saver.address if given == "0x" + "1" * 40 else given for given in entry.arguments)
    before = belongings(roles, saver)
    for caller, who in everybody(roles).items():
        if caller == "shares":  # which the fund obeys, and which hold nothing
            continue
        said = answer(who, getattr(contract, function), *arguments)
        assert said == OWN_OF_NOBODY.get((name, function), said)
        assert belongings(roles, saver) == before


def saved(desk: Desk) -> Any:
    """Somebody with something of every kind."""
    saver, shares = desk.trader("saver"), contract_of(desk, "shares")
    desk.deposit(saver, 100)
    desk.bond(saver)
    act(saver, desk.token.mint, saver.address, 10**9)
    act(saver, desk.token.approve, shares.address, 10**9)
    act(saver, shares.deposit, 10**8, saver.address)
    act(saver, shares.requestRedeem, shares.balanceOf(saver.address) // 2)
    return saver


def belongings(desk: Desk, who: Any) -> tuple[Any, ...]:
    shares, account = contract_of(desk, "shares"), desk.account(who)
    return (
        tuple(desk.exchange.position(account, desk.market.id)),
        desk.exchange.orderEpoch(who.address),
        tuple(desk.book.bond(who.address)),
        desk.book.claimable(who.address),
        shares.balanceOf(who.address),
        tuple(shares.exitOf(who.address)),
        desk.token.balanceOf(who.address),
        desk.token.allowance(who.address, shares.address),
    )


# ---------------------------------------------------------------------- the timelock


@pytest.mark.parametrize(
    ("name", "function"), of_class(Caller.PROPOSER, Caller.CANCELLER, Caller.EXECUTOR, Caller.TIMELOCK)
)
def test_only_roles_of_the_timelock(roles: Desk, timelock: Any, name: str, function: str) -> None:
    entry = MATRIX[name][function]
    people = everybody(roles) | {role: roles.trader(role) for role in ("proposer", "executor")}
    meant = {Caller.PROPOSER: "proposer", Caller.CANCELLER: "proposer", Caller.EXECUTOR: "executor"}
    error = "TimelockUnauthorizedCaller" if function == "updateDelay" else "AccessControlUnauthorizedAccount"
    for caller, who in people.items():
        if caller == meant.get(entry.caller):
            continue
        assert answer(who, getattr(timelock, function), *entry.arguments) == error


def test_no_role_of_the_timelock_is_given_up_for_another(roles: Desk, timelock: Any) -> None:
    proposer = roles.trader("proposer")
    role = timelock.PROPOSER_ROLE()
    for who in everybody(roles).values():
        with refused(timelock.AccessControlBadConfirmation):
            act(who, timelock.renounceRole, role, proposer.address)
    assert timelock.hasRole(role, proposer.address)


# ---------------------------------------------------------------------- internal


def answer(who: Any, method: Any, *arguments: Any) -> str:
    """The name of the error that a call is refused with, or that it was accepted."""
    try:
        act(who, method, *arguments)
    except RefusedError as refusal:
        return in_words(refusal.data).split("(")[0]
    return "accepted"


def test_errors_of_access_are_told_apart() -> None:
    """Two errors with one selector would let one pass for the other."""
    contracts = (project.manifest.contract_types or {}).values()
    selectors: dict[bytes, str] = {}
    for contract in contracts:
        for error in contract.errors:
            assert selectors.setdefault(keccak(text=error.selector)[:4], error.selector) == error.selector
