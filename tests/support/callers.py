"""Who may call what: every function of every contract that changes anything, the inherited ones too, with its class."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from ape import project

from scripts.stage.parameters import plain_market
from scripts.stage.system import name_bytes
from scripts.stage.venue import wad
from tests.support.desk import ANY_BOUNDS, Desk

ZERO = "0x" + "0" * 40
SOMEBODY = "0x" + "1" * 40
NAME = name_bytes("TEST-USD")
PARAMETERS = plain_market(Decimal("0.1"), Decimal("0.05"))
# An isolated account of SOMEBODY in the first market, and a cross one.
ACCOUNT = (int(SOMEBODY, 16) << 96 | 1 << 64).to_bytes(32, "big")
CROSS = (int(SOMEBODY, 16) << 96 | 1 << 95).to_bytes(32, "big")
ORDER = (ACCOUNT, 1, 1, 1, 1, 0, 0, False)
PAIR = (ORDER, b"", ORDER, b"", 1)
EXECUTION = (1, 1, 0, False, 1, 0, [0, 0], [])
RECORD = (ZERO, 0, 1, 0, False, 0, bytes(32), 0, 0, 0, 0, 0)
EMPTY = bytes(32)


class Caller(Enum):
    """Whom a function answers. What it is refused with where another calls stands in `REFUSALS`."""

    ANYONE = "anyone, to the same effect"
    OWN = "anyone, for what is the caller's own"
    ACCOUNT = "the owner of the account that it names"
    OWNER = "the owner"
    HEIR = "whom the owner has named as the next one"
    GUARDIAN = "the guardian"
    GUARDIAN_OR_OWNER = "the guardian and the owner"
    TREASURY = "the treasury"
    ENGINE = "the engine"
    FUND = "the fund"
    EXCHANGE = "the exchange"
    BATCH = "the exchange itself"
    SHARES = "the shares of a pool"
    ROUTER = "nobody: it runs by delegatecall"
    PROPOSER = "a proposer of the timelock"
    CANCELLER = "a canceller of the timelock"
    EXECUTOR = "an executor of the timelock"
    TIMELOCK = "the timelock itself"


@dataclass(frozen=True)
class Entry:
    """A function's class, and arguments that bring a call as far as the question who calls."""

    caller: Caller
    arguments: tuple[Any, ...] = ()


def _all(caller: Caller, **functions: tuple[Any, ...]) -> dict[str, Entry]:
    return {name: Entry(caller, arguments) for name, arguments in functions.items()}


_OWNERSHIP = {"transferOwnership": Entry(Caller.OWNER, (ZERO,)), "acceptOwnership": Entry(Caller.HEIR)}

MATRIX: dict[str, dict[str, Entry]] = {
    "exchange": {
        **_all(
            Caller.ANYONE,
            settle=(ORDER, b"", ORDER, b"", 1),
            settleBatch=([],),
            takeOver=(ACCOUNT,),
            flag=(ACCOUNT,),
            settleClosed=(1, []),
            accrue=(1,),
            sweep=(1,),
        ),
        **_all(Caller.OWN, deposit=(1 << 64, 1), cancelAll=()),
        **_all(
            Caller.ACCOUNT,
            withdraw=(ACCOUNT, 1, SOMEBODY),
            transfer=(ACCOUNT, CROSS, 1),
            cancel=(ORDER,),
            liquidate=(CROSS, 1, ACCOUNT, 1),
            buyInventory=(ACCOUNT, 1, 0, 1, 1),
        ),
        **_all(
            Caller.OWNER,
            wire=(ZERO, ZERO),
            listMarket=(NAME, 1, PARAMETERS),
            setParameters=(1, PARAMETERS),
            moveMarket=(1, 1),
            closeMarket=(1, 1, 1),
            setBackstopRatio=(wad("0.5"),),
            setWarningRate=(wad("0.8"),),
            setTreasury=(SOMEBODY,),
            setGuardian=(SOMEBODY,),
        ),
        **_OWNERSHIP,
        **_all(Caller.GUARDIAN, pause=()),
        **_all(Caller.GUARDIAN_OR_OWNER, endPause=()),
        **_all(Caller.TREASURY, collect=(1,)),
        **_all(Caller.ENGINE, applyDeleverage=(EXECUTION, []), rewardKeeper=(ZERO, 1, 1, 1)),
        **_all(Caller.FUND, payOut=(SOMEBODY, 1), applyStress=(1, 1, True)),
        **_all(Caller.BATCH, settleOne=(PAIR,)),
    },
    "fund": {
        **_all(Caller.ANYONE, contribute=(1, 0, 1), repay=(1, 1), redistribute=(), checkpoint=(1,)),
        **_all(
            Caller.OWNER,
            wire=(ZERO,),
            createPool=(NAME, 0, 0),
            setStaking=(1, 1, 86400),
            renewShares=(1,),
            setDrawdownBounds=(1, wad("0.3"), wad("0.25"), wad("0.25")),
            setAuctionParameters=(1, wad("0.02"), 1800),
        ),
        **_OWNERSHIP,
        **_all(
            Caller.EXCHANGE,
            inherit=([(1, 1, 1, 0)],),
            assignMarket=(1, 1),
            moveMarket=(1, 1),
            creditFee=(1, 1, 1),
            creditDust=(1, 1),
            absorb=(1,),
            sell=(1, 0, 1, 1, 0, 0),
            net=(1,),
        ),
        **_all(Caller.SHARES, stake=(1, 1), unstake=(1, 1, SOMEBODY, True)),
        **_all(Caller.ENGINE, close=(1, 0, 1, 1, 1, 0)),
    },
    "engine": _all(Caller.ANYONE, deleverage=(1, 0, [], ANY_BOUNDS)),
    "round_book": {
        **_all(Caller.ANYONE, challenge=(1, ACCOUNT, []), releaseBond=(SOMEBODY, []), payPool=(1,)),
        **_all(Caller.OWN, postBond=(1,), requestBond=(1,), withdrawBond=(SOMEBODY,), claim=(SOMEBODY,)),
        **_all(Caller.OWNER, setRoundParameters=((3600, 120, 0, 0, 1, 1),), setRewardParameters=((0, 0, 0),)),
        **_OWNERSHIP,
        **_all(Caller.ENGINE, open=(1, RECORD, [1], 1, 1)),
    },
    "price_feed": {
        **_all(Caller.ANYONE, accept=(1,), acceptOrLast=(1,)),
        **_all(Caller.OWNER, wire=(ZERO,), setFeed=(1, ZERO, 1, 1, 2), setSequencer=(ZERO, 0)),
        **_all(Caller.EXCHANGE, fix=(1,)),
        **_OWNERSHIP,
    },
    "lens": {},
    "fund_lens": {},
    "shares_factory": _all(Caller.ANYONE, create=(1, NAME)),
    "settlement_module": _all(
        Caller.ROUTER, settle=(ORDER, b"", ORDER, b"", 1), settleBatch=([PAIR],), settleOne=(PAIR,)
    ),
    "solvency_module": _all(
        Caller.ROUTER,
        liquidate=(EMPTY, 1, EMPTY, 1),
        takeOver=(EMPTY,),
        buyInventory=(EMPTY, 1, 0, 1, 1),
        flag=(EMPTY,),
        settleClosed=(1, []),
        applyDeleverage=(EXECUTION, []),
    ),
    "market_module": _all(
        Caller.ROUTER,
        listMarket=(NAME, 1, PARAMETERS),
        setParameters=(1, PARAMETERS),
        moveMarket=(1, 1),
        closeMarket=(1, 1, 1),
        applyStress=(1, 1, True),
        rewardKeeper=(ZERO, 1, 1, 1),
        setBackstopRatio=(wad("0.5"),),
        setWarningRate=(wad("0.8"),),
        setTreasury=(SOMEBODY,),
        accrue=(1,),
        sweep=(1,),
        collect=(1,),
    ),
    "inventory_module": _all(
        Caller.ROUTER,
        checkpoint=(1,),
        inherit=([(1, 1, 1, 0)],),
        sell=(1, 0, 1, 1, 0, 0),
        close=(1, 0, 1, 1, 1, 0),
        net=(1,),
    ),
    "pool_module": _all(
        Caller.ROUTER,
        contribute=(1, 0, 1),
        repay=(1, 1),
        redistribute=(),
        absorb=(1,),
        stake=(1, 1),
        unstake=(1, 1, SOMEBODY, True),
        renewShares=(1,),
        createPool=(NAME, 0, 0),
        setStaking=(1, 1, 86400),
        assignMarket=(1, 1),
        moveMarket=(1, 1),
        setDrawdownBounds=(1, wad("0.3"), wad("0.25"), wad("0.25")),
        setAuctionParameters=(1, wad("0.02"), 1800),
    ),
    # The shares of a pool: an ERC-20 in which everybody moves what is theirs, or what they were allowed to.
    "shares": {
        **_all(
            Caller.OWN,
            approve=(SOMEBODY, 1),
            transfer=(SOMEBODY, 1),
            transferFrom=(SOMEBODY, SOMEBODY, 1),
            deposit=(1, SOMEBODY),
            mint=(1, SOMEBODY),
            redeem=(1, SOMEBODY, SOMEBODY),
            withdraw=(1, SOMEBODY, SOMEBODY),
            requestRedeem=(1,),
            cancelRedeem=(),
        ),
        **_all(Caller.ANYONE, settleRedeem=(SOMEBODY,)),
    },
    "timelock": {
        **_all(
            Caller.PROPOSER,
            schedule=(SOMEBODY, 0, b"", EMPTY, EMPTY, 2**40),
            scheduleBatch=([SOMEBODY], [0], [b""], EMPTY, EMPTY, 2**40),
        ),
        **_all(Caller.CANCELLER, cancel=(EMPTY,)),
        **_all(
            Caller.EXECUTOR,
            execute=(SOMEBODY, 0, b"", EMPTY, EMPTY),
            executeBatch=([SOMEBODY], [0], [b""], EMPTY, EMPTY),
        ),
        **_all(Caller.TIMELOCK, updateDelay=(0,), grantRole=(EMPTY, SOMEBODY), revokeRole=(EMPTY, SOMEBODY)),
        # A role is given up by who has it, who is named again so that nobody does it by mistake.
        **_all(Caller.OWN, renounceRole=(EMPTY, SOMEBODY)),
        # What a safe transfer of another token asks: it may be sent here, and is then the timelock's to move.
        **_all(
            Caller.ANYONE,
            onERC721Received=(SOMEBODY, SOMEBODY, 1, b""),
            onERC1155Received=(SOMEBODY, SOMEBODY, 1, 1, b""),
            onERC1155BatchReceived=(SOMEBODY, SOMEBODY, [], [], b""),
        ),
    },
}
EXCHANGE_MODULES = ("settlement_module", "solvency_module", "market_module")
FUND_MODULES = ("inventory_module", "pool_module")


def of_class(*callers: Caller) -> list[tuple[str, str]]:
    """Every function of the classes, with its contract."""
    return [
        (contract, name)
        for contract, functions in MATRIX.items()
        for name, entry in functions.items()
        if entry.caller in callers
    ]


def contract_of(desk: Desk, name: str) -> Any:
    """The contract that a name of the matrix stands for; the shares are those of the desk's pool."""
    if name == "shares":
        return project.PoolShares.at(desk.fund.staking(desk.market.pool).shares)
    return getattr(desk.venue.system, name)


def everybody(desk: Desk) -> dict[str, Any]:
    """Whoever could call: people, and the contracts of the system."""
    people = {name: desk.trader(name) for name in ("stranger", "keeper", "treasury", "guardian")}
    contracts = {name: contract_of(desk, name) for name in MATRIX if name != "timelock"}
    for contract in contracts.values():
        desk.venue.endpoint.request("anvil_setBalance", contract.address, hex(10**20))
    return people | {"owner": desk.venue.owner} | contracts
