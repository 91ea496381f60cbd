"""What Python says of the contracts is what the compiler says of them: selectors, types, errors, codes."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ape import project
from eth_abi.abi import encode

from backstop.account_id import isolated_account
from backstop.adl.due import Trigger
from backstop.adl.snapshot import PoolKind, Side
from backstop.chain import bindings, snapshot
from backstop.chain.bindings import ERRORS, TAKE_OVER, Event, Function, describe_revert
from backstop.errors import RevertError
from backstop.keeper.duties import SIDE_CODES
from backstop.keeper.results import SKIP_REASONS
from scripts.stage.venue import Venue

from . import harness as harness_module
from . import model, views

CONTRACTS = Path(__file__).parents[2] / "contracts"

# Which contract answers to a binding.
BOUND = {
    "APPROVE": "MockUSDC",
    "CANCEL": "Exchange",
    "SETTLE_CLOSED": "Exchange",
    "POSITION_SETTLED": "Exchange",
    "CANCEL_ALL": "Exchange",
    "LIQUIDATE": "Exchange",
    "LIQUIDATED": "Exchange",
    "BALANCE_OF": "MockUSDC",
    "BUY_INVENTORY": "Exchange",
    "CANDIDATE_SKIPPED": "ADLEngine",
    "CONTRIBUTE": "InsuranceFund",
    "DELEVERAGE": "ADLEngine",
    "DELEVERAGED": "ADLEngine",
    "CROSS_ACCOUNT": "Exchange",
    "DEPOSIT": "Exchange",
    "DEPOSITED": "Exchange",
    "INVENTORY_BOUGHT": "Exchange",
    "POSITION": "Exchange",
    "TRANSFERRED": "Exchange",
    "WITHDRAWN": "Exchange",
    "LENS_ACCOUNT": "BackstopLens",
    "LENS_ACCOUNTS": "BackstopLens",
    "LENS_CROSS_ACCOUNTS": "BackstopLens",
    "LENS_SYSTEM": "BackstopLens",
    "LENS_EXCHANGE": "BackstopLens",
    "LENS_FUND": "BackstopLens",
    "LENS_PRICE_FEED": "BackstopLens",
    "FEED_OF": "ChainlinkPriceFeed",
    "LATEST_ANSWER": "MockAggregator",
    "EXCHANGE_ENGINE": "Exchange",
    "MINT": "MockUSDC",
    "ROUND_EXECUTED": "ADLEngine",
    "SETTLE": "Exchange",
    "TAKEN_OVER": "Exchange",
    "TAKE_OVER": "Exchange",
    "TRANSFER": "Exchange",
    "WITHDRAW": "Exchange",
    "ALLOWANCE": "MockUSDC",
    "COLLATERAL": "Exchange",
    "DECIMALS": "MockUSDC",
    "FILLED": "Exchange",
    "FUNDING_PAID": "Exchange",
    "ORDERS_CANCELLED": "Exchange",
    "ORDER_EPOCH": "Exchange",
    "PAIR_REFUSED": "Exchange",
    "SETTLED": "Exchange",
    "SETTLE_BATCH": "Exchange",
    "SYMBOL": "MockUSDC",
    "TOKEN_NAME": "MockUSDC",
    "ADL_ENDED": "InsuranceFund",
    "ADL_STARTED": "InsuranceFund",
    "CANCEL_REDEEM": "PoolShares",
    "CHECKPOINT": "InsuranceFund",
    "CHECKPOINTED": "InsuranceFund",
    "CONTRIBUTED": "InsuranceFund",
    "DRAWDOWN_BOUNDS_SET": "InsuranceFund",
    "ENTERED": "InsuranceFund",
    "FUND_ITEMS": "InsuranceFund",
    "FUND_LENS_ADL_STATE": "FundLens",
    "FUND_LENS_EXITS": "FundLens",
    "FUND_LENS_POOLS": "FundLens",
    "FUND_LENS_STAKE_OF": "FundLens",
    "FUND_POOL_COUNT": "InsuranceFund",
    "FUND_SEEN": "InsuranceFund",
    "INHERITED": "InsuranceFund",
    "INVENTORY_CLOSED": "InsuranceFund",
    "INVENTORY_NETTED": "InsuranceFund",
    "INVENTORY_SOLD": "InsuranceFund",
    "MARKET_ASSIGNED": "InsuranceFund",
    "POOL_CREATED": "InsuranceFund",
    "PREVIEW_STAKE": "PoolShares",
    "REDEEMED": "PoolShares",
    "REDEEM_CANCELLED": "PoolShares",
    "REDEEM_REQUESTED": "PoolShares",
    "REDISTRIBUTE": "InsuranceFund",
    "REPAID": "InsuranceFund",
    "REPAY": "InsuranceFund",
    "REQUEST_REDEEM": "PoolShares",
    "SETTLE_REDEEM": "PoolShares",
    "SHARES_ISSUED": "InsuranceFund",
    "STAKE": "PoolShares",
    "STAKED": "PoolShares",
    "AVAILABLE_BOND": "RoundBook",
    "BOND": "RoundBook",
    "CHALLENGE": "RoundBook",
    "CLAIM": "RoundBook",
    "CLAIMABLE": "RoundBook",
    "KEEPER_REWARDED": "Exchange",
    "OMISSION": "RoundBook",
    "OMISSION_PROVEN": "RoundBook",
    "KEPT": "RoundBook",
    "PAY_POOL": "RoundBook",
    "POST_BOND": "RoundBook",
    "RELEASE_BOND": "RoundBook",
    "ROUNDS_OF": "RoundBook",
    "REQUEST_BOND": "RoundBook",
    "ROUND_COUNT": "ADLEngine",
    "ROUND_OPENED": "RoundBook",
    "ROUND_PARAMETERS": "RoundBook",
    "ROUND_PARAMETERS_OF": "RoundBook",
    "ROUND_RECORD": "RoundBook",
    "WITHDRAW_BOND": "RoundBook",
    # of these tests
    "AGGREGATOR_SET_ANSWER": "MockAggregator",
    "ENGINE_RANKING": "ADLEngine",
    "EXCHANGE_ACCOUNTS_OPEN_INTEREST": "Exchange",
    "EXCHANGE_EXPOSURES": "Exchange",
    "EXCHANGE_MARKET": "Exchange",
    "EXCHANGE_ORDER_HASH": "Exchange",
    "EXCHANGE_POSITION": "Exchange",
    "EXCHANGE_SET_PARAMETERS": "Exchange",
    "FUND_ADL_TERMS": "InsuranceFund",
    "FUND_BACKING": "InsuranceFund",
    "FUND_CHECKPOINT": "InsuranceFund",
    "FUND_SET_DRAWDOWN_BOUNDS": "InsuranceFund",
    "MANY": "MathHarness",
    "MAXIMA": "MathHarness",
    "SORT": "MathHarness",
    "TOUCH": "MathHarness",
}

# What a trader or a keeper calls, directly or through another; and the errors of theirs that only owner and deployer
# can run into, or that their libraries declare and they never use.
CALLED = (
    "ADLEngine",
    "BackstopLens",
    "ChainlinkPriceFeed",
    "Exchange",
    "FundLens",
    "InsuranceFund",
    "MarketModule",
    "MockUSDC",
    "PoolModule",
    "PoolShares",
    "RoundBook",
    "SettlementModule",
    "SolvencyModule",
)
OF_OWNER_AND_DEPLOYER = {
    "CallerNotGuardian",
    "NotPaused",
    "OwnershipKept",
    "PauseRests",
    "PriceFinal",
    "AddressEmptyCode",
    "AggregatorInvalid",
    "AlreadyWired",
    "BackstopRatioOutOfBounds",
    "BoundsInvalid",
    "CooldownOutOfBounds",
    "DrawdownBoundsInvalid",
    "FeeSharesOutOfBounds",
    "FundingCapOutOfBounds",
    "GraceOutOfBounds",
    "GroupFull",
    "HeartbeatOutOfBounds",
    "InvalidShortString",
    "InventoryOpen",
    "LiquidationFractionsOutOfBounds",
    "LossOpen",
    "MarginFractionsOutOfBounds",
    "MarketHeldInCross",
    "MarketInPool",
    "MarketNameEmpty",
    "MarketNameTaken",
    "MaxOpenInterestOutOfBounds",
    "NotWired",
    "OwnableInvalidOwner",
    "PoolFull",
    "PoolNameEmpty",
    "PoolNameTaken",
    "PriceBandOutOfBounds",
    "RewardParametersOutOfBounds",
    "RoundParametersOutOfBounds",
    "SharedPoolNotMutual",
    "StressParametersOutOfBounds",
    "StringTooLong",
    "TokenDecimalsUnsupported",
    "TradingFeesOutOfBounds",
    "WarningRateOutOfBounds",
}
NEVER_USED = {"InsufficientBalance"}  # of a library, where a call sends ether
OF_THE_TEST_TOKEN = {"ERC20InvalidApprover", "ERC20InvalidReceiver", "ERC20InvalidSender", "ERC20InvalidSpender"}


def _constants(module: ModuleType, kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if isinstance(value, kind)}


MODULES = (bindings, views, harness_module)
FUNCTIONS = {name: value for module in MODULES for name, value in _constants(module, Function).items()}
EVENTS = {name: value for module in MODULES for name, value in _constants(module, Event).items()}


def _abi(contract: str, kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = getattr(project, contract).contract_type.model_dump(mode="json")["abi"]
    return [entry for entry in entries if entry["type"] == kind]


def _type(parameter: dict[str, Any]) -> str:
    """The canonical type of a parameter; a struct is the types of its members."""
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    return f"({','.join(map(_type, parameter['components']))}){parameter['type'].removeprefix('tuple')}"


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(map(_type, entry['inputs']))})"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_function_is_the_compiler_s(name: str) -> None:
    function = FUNCTIONS[name]
    found = {_signature(entry): entry for entry in _abi(BOUND[name], "function")}
    assert function.signature in found
    assert function.returns == ",".join(map(_type, found[function.signature]["outputs"]))
    selectors = getattr(project, BOUND[name]).contract_type.selector_identifiers
    assert selectors[function.signature] == "0x" + function.selector.hex()


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_event_is_the_compiler_s(name: str) -> None:
    event = EVENTS[name]
    found = {_signature(entry): entry for entry in _abi(BOUND[name], "event")}
    assert event.signature in found
    inputs = found[event.signature]["inputs"]
    indexed = [parameter["indexed"] for parameter in inputs]
    assert indexed == sorted(indexed, reverse=True), "the indexed parameters come first"
    assert event.indexed == tuple(_type(parameter) for parameter in inputs if parameter["indexed"])
    assert event.data == ",".join(_type(parameter) for parameter in inputs if not parameter["indexed"])


# ------------------------------------------------------------------ errors


def test_every_error_that_a_trader_or_keeper_can_meet_is_known() -> None:
    declared = {_signature(entry) for contract in CALLED for entry in _abi(contract, "error")}
    elsewhere = OF_OWNER_AND_DEPLOYER | NEVER_USED | OF_THE_TEST_TOKEN
    expected = {signature for signature in declared if signature.split("(")[0] not in elsewhere}
    assert set(ERRORS) == expected
    assert len(ERRORS) == len(set(ERRORS))


def test_errors_that_are_never_used_are_never_used() -> None:
    """Otherwise they belong to those that can be met."""
    sources = [path.read_text() for path in CONTRACTS.rglob("*.sol") if ".cache" not in path.parts]
    for name in NEVER_USED:
        assert not any(re.search(rf"revert (\w+\.)?{name}\b", source) for source in sources)


@pytest.mark.parametrize("signature", ERRORS)
def test_revert_data_is_put_into_words(signature: str) -> None:
    name, types = signature[:-1].split("(")
    kinds = types.split(",") if types else []
    samples = {"bytes32": bytes(range(32)), "address": "0x" + "ab" * 20}
    values = [samples.get(kind, -7 if kind.startswith("int") else 7) for kind in kinds]
    data = Function(signature).selector + encode(kinds, values)
    shown = ["0x" + value.hex() if isinstance(value, bytes) else str(value) for value in values]
    assert describe_revert(data) == f"{name}({', '.join(shown)})"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no revert data"),
        (bytes.fromhex("08c379a0") + encode(["string"], ["not today"]), "not today"),
        (bytes.fromhex("08c379a0") + encode(["string"], ["né"]), "né"),
        (bytes.fromhex("08c379a0") + encode(["bytes"], [b"n\xff\xc3"]), "n\\xff\\xc3"),
        (bytes.fromhex("08c379a0") + encode(["uint256", "uint256"], [32, 2**256 - 1]), None),
        (bytes.fromhex("08c379a0") + encode(["uint256", "uint256"], [2**255, 1]), None),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), "Panic(0x11)"),
        (bytes.fromhex("12345678"), "revert data 0x12345678"),
        (bytes.fromhex("08c379a0"), "revert data 0x08c379a0"),
        (Function("TakeoverNotDue(bytes32,int256,uint256)").selector + bytes(31), None),
    ],
)
def test_other_revert_data_is_shown_as_it_is(data: bytes, words: str | None) -> None:
    assert describe_revert(data) == (words or f"revert data 0x{data.hex()}")


def test_refusal_arrives_in_words(venue: Venue) -> None:
    account = isolated_account(venue.trader("nobody").address, 1)
    with pytest.raises(RevertError, match=r"^(MarketUnlisted\(1\)|PositionMissing\(0x[0-9a-f]{64}\))$"):
        venue.endpoint.call(venue.system.exchange.address, TAKE_OVER, account)


# ------------------------------------------------------------------ codes of enums


def _members(name: str) -> list[str]:
    """The members of an enum, in order, as its source has them."""
    for path in (CONTRACTS / "types").glob("*.sol"):
        found = re.search(rf"enum {name} \{{([^}}]*)\}}", path.read_text())
        if found:
            return [member.strip() for member in found[1].split(",")]
    raise LookupError(name)


def test_codes_are_those_of_the_enums() -> None:
    assert [side.value for side in sorted(SIDE_CODES, key=SIDE_CODES.__getitem__)] == [
        member.lower() for member in _members("Side")
    ]
    assert set(SIDE_CODES) == set(Side)
    assert list(SKIP_REASONS) == [member[0].lower() + member[1:] for member in _members("SkipReason")]
    assert [kind.value for kind in snapshot._KINDS] == [member.lower() for member in _members("PoolKind")]
    assert set(snapshot._KINDS) == set(PoolKind)
    assert [trigger.name for trigger in model.Trigger] == [member.upper() for member in _members("Trigger")]
    assert {trigger.name for trigger in Trigger} == {member.upper() for member in _members("Trigger")} - {"NONE"}
