"""What only these tests use of the contracts; `test_bindings` holds it against the compiler too."""

from __future__ import annotations

from backstop.chain.bindings import Event, Function

_BACKING = "(int256,uint256,int256,int256,uint256,uint256,uint256,uint256,bool,bool)"
_PARAMETERS = f"({'uint64,' * 8}uint96,uint96,uint112,uint64,uint64,uint64,uint64)"
_FUNDING = "(int104,uint24,uint64,uint64,int128,uint128,int112,uint112,uint32)"
_MARKET = (
    "(uint64,uint64,uint112,uint16,uint56,uint56,uint56,uint56,uint32,uint96,uint96,uint64,uint112,uint64,uint64,bool,"
    "uint32,uint64,uint64,uint64,uint64,bytes32,"
    f"{_FUNDING})"
)
_TERMS = "(uint8,int256,int256,uint256,uint256,uint256,int256,int256)"

FUND_BACKING = Function("backing(uint16)", _BACKING)
FUND_ADL_TERMS = Function("adlTerms(uint16,uint8)", _TERMS)
FUND_CHECKPOINT = Function("checkpoint(uint16)")
FUND_SET_DRAWDOWN_BOUNDS = Function("setDrawdownBounds(uint16,uint64,uint64,uint64)")
ENGINE_RANKING = Function("ranking(uint16,uint8,bytes32[])", "(bytes32,int256,int256,int256,int256)[]")
EXCHANGE_ACCOUNTS_OPEN_INTEREST = Function("accountsOpenInterest(uint16,uint8)", "uint256")
EXCHANGE_EXPOSURES = Function("exposures(uint16,bytes32[],uint256)", "(int256,int256,int256,uint256)[]")
EXCHANGE_MARKET = Function("market(uint16)", _MARKET)
EXCHANGE_ORDER_HASH = Function("orderHash((bytes32,uint16,int256,uint256,uint64,uint64,uint256,bool))", "bytes32")
EXCHANGE_POSITION = Function("position(bytes32,uint16)", "(int112,int112,uint32,int112,int104,uint40)")
EXCHANGE_SET_PARAMETERS = Function(f"setParameters(uint16,{_PARAMETERS})")
AGGREGATOR_SET_ANSWER = Function("setAnswer(int256)")

CHECKPOINTED = Event("Checkpointed", ("uint16",), "int256,int256,uint256")
ADL_STARTED = Event("ADLStarted", ("uint16", "uint8"), "uint256")
ADL_ENDED = Event("ADLEnded", ("uint16",), "uint256")
