"""The snapshot file: what is refused and where, and that nothing is lost on the way."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.adl.snapshot import (
    Account,
    Backing,
    Block,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Snapshot,
)
from backstop.adl.snapshot_file import dumps, loads
from backstop.adl.strict_json import parse
from backstop.errors import BackstopError, SnapshotError
from backstop.math.wad import WAD

from .books import ETH, account, document, held, market, pool, position, wad

GONE = object()


def book() -> dict[str, Any]:
    """Two pools; ETH and SOL share one. `cross` holds both, `maker` one."""
    result = document(
        account("maker", "1000", position("short", "10", "100")),
        account("cross", "500", position("long", "10", "100"), position("long", "5", "20", "SOL-USD"), mode="cross"),
        markets={
            ETH: market(pool="both"),
            "SOL-USD": market("20", pool="both"),
            "BTC-USD": market("3000", pool="btc"),
        },
        pools={
            "both": pool("1000", held("long", "8", "88.75"), kind="shared"),
            "btc": pool("1", backing="mutual"),
        },
    )
    result["block"] = {"chainId": 31337, "number": 120, "hash": "0xabc", "timestamp": 1790000000}
    return result


def edited(where: str, value: Any) -> dict[str, Any]:
    """The book with the value at a place like `accounts/0/collateral` replaced, added or (GONE) taken away."""
    result = copy.deepcopy(book())
    *way, last = where.split("/")
    target: Any = result
    for step in way:
        target = target[int(step)] if isinstance(target, list) else target[step]
    key: Any = int(last) if isinstance(target, list) else last
    if value is GONE:
        del target[key]
    elif isinstance(target, list) and key == len(target):
        target.append(value)
    else:
        target[key] = value
    return result


def refusal(text: str) -> tuple[str, str]:
    with pytest.raises(SnapshotError) as refused:
        loads(text)
    assert str(refused.value) == f"{refused.value.path}: {refused.value.message}"
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300
    return refused.value.path, refused.value.message


def test_the_book_itself_is_accepted() -> None:
    state = loads(json.dumps(book()))
    assert state.block == Block(31337, 120, "0xabc", 1790000000)
    assert list(state.markets) == [ETH, "SOL-USD", "BTC-USD"]
    assert state.pools["both"].inventory == (Inventory(ETH, wad("8"), wad("710")),)
    assert state.accounts[0].positions == (Position(ETH, wad("-10"), wad("-1000")),)
    assert loads(json.dumps(edited("block", GONE))).block is None


IN_A = "accounts/0/positions/0"
PATH_A = "$.accounts[0].positions[0]"
HELD = "pools/both/inventory/0"
PATH_H = "$.pools.both.inventory[0]"

UNKNOWN_KEYS = [
    ("extra", "$.extra"),
    ("block/gas", "$.block.gas"),
    (f"markets/{ETH}/imf", f"$.markets.{ETH}.imf"),
    ("pools/btc/cap", "$.pools.btc.cap"),
    (f"{HELD}/entryPrice", f"{PATH_H}.entryPrice"),
    ("accounts/0/leverage", "$.accounts[0].leverage"),
    (f"{IN_A}/bankruptcyPrice", f"{PATH_A}.bankruptcyPrice"),
]

REQUIRED = [
    *["version", "markets", "pools", "accounts"],
    *[f"block/{key}" for key in ("chainId", "number", "hash", "timestamp")],
    *[f"markets/{ETH}/{key}" for key in market()],
    *[f"pools/btc/{key}" for key in pool("1")],
    *[f"{HELD}/{key}" for key in ("market", "side", "contracts")],
    *[f"accounts/0/{key}" for key in ("account", "marginMode", "collateral", "positions")],
    *[f"{IN_A}/{key}" for key in ("market", "side", "contracts")],
]

AMOUNTS = [
    *[
        f"markets/{ETH}/{key}"
        for key in ("markPrice", "maintenanceMarginFraction", "trigger", "stop", "target", "pnl", "maxPnl8h")
    ],
    "pools/btc/balance",
    f"{HELD}/contracts",
    f"{HELD}/bankruptcyPrice",
    "accounts/0/collateral",
    f"{IN_A}/contracts",
    f"{IN_A}/entryPrice",
]


def json_path(where: str) -> str:
    return "$" + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in where.split("/"))


@pytest.mark.parametrize(("where", "path"), UNKNOWN_KEYS)
def test_an_unknown_key_is_refused(where: str, path: str) -> None:
    at, message = refusal(json.dumps(edited(where, "1")))
    assert at == path
    assert message.startswith("unknown key: expected ")


@pytest.mark.parametrize("where", REQUIRED)
def test_a_missing_key_is_refused(where: str) -> None:
    assert refusal(json.dumps(edited(where, GONE))) == (json_path(where), "missing: this key is required")


@pytest.mark.parametrize("where", AMOUNTS)
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (1, "1 is a JSON number"),
        (80.5, "80.5 is a JSON number"),
        (float("nan"), "NaN is a JSON number"),
        (float("-inf"), "-Infinity is a JSON number"),
        ("1e5", "not a decimal amount"),
        ("NaN", "not a decimal amount"),
        ("", "not a decimal amount"),
        ("1\n2", "not a decimal amount"),
        ("0.1234567890123456789", "19 decimals"),
        pytest.param("1" * 5000, "5000 characters", id="huge"),
        (True, "true is not a decimal string"),
        (None, "null is not a decimal string"),
        (["1"], "an array is not a decimal string"),
        ({"a": "1"}, "an object is not a decimal string"),
    ],
)
def test_what_is_no_amount_is_refused(where: str, value: Any, says: str) -> None:
    at, message = refusal(json.dumps(edited(where, value)))
    assert at == json_path(where)
    assert says in message


@pytest.mark.parametrize(
    "where", [f"markets/{ETH}/markPrice", f"{HELD}/contracts", f"{IN_A}/contracts", f"{IN_A}/entryPrice"]
)
@pytest.mark.parametrize("value", ["0", "0.000", "-0", "-1", "-0.000000000000000001"])
def test_contracts_prices_and_marks_are_positive(where: str, value: str) -> None:
    assert refusal(json.dumps(edited(where, value))) == (json_path(where), f'"{value}" is not positive')


@pytest.mark.parametrize("key", ["maintenanceMarginFraction", "trigger", "stop", "target"])
def test_a_fraction_is_not_negative(key: str) -> None:
    where = f"markets/{ETH}/{key}"
    assert refusal(json.dumps(edited(where, "-0.1"))) == (json_path(where), '"-0.1" is negative')


@pytest.mark.parametrize("price", ["0", "-1", "-88.75"])
def test_a_bankruptcy_price_may_be_zero_or_negative(price: str) -> None:
    [inventory] = loads(json.dumps(edited(f"{HELD}/bankruptcyPrice", price))).pools["both"].inventory
    assert inventory.entry_notional == 8 * wad(price)


@pytest.mark.parametrize(
    ("where", "value", "path", "says"),
    [
        ("version", 2, "$.version", "2 is not a version"),
        ("version", True, "$.version", "true is not a whole number"),
        ("version", "1", "$.version", '"1" is not a whole number'),
        ("version", 1.0, "$.version", "1.0 is not a whole number"),
        ("block", None, "$.block", "null is not an object"),
        ("block/chainId", "31337", "$.block.chainId", "not a whole number"),
        ("block/number", -1, "$.block.number", "not a whole number"),
        ("block/timestamp", False, "$.block.timestamp", "not a whole number"),
        ("block/hash", 12, "$.block.hash", "12 is not a string"),
        ("markets", [], "$.markets", "an array is not an object"),
        ("pools", "none", "$.pools", '"none" is not an object'),
        ("accounts", {}, "$.accounts", "an object is not an array"),
        ("accounts/0", "maker", "$.accounts[0]", "not an object"),
        (f"markets/{ETH}/pool", "gone", f"$.markets.{ETH}.pool", 'unknown pool "gone"'),
        (f"markets/{ETH}/adlActive", "false", f"$.markets.{ETH}.adlActive", "not true or false"),
        (f"markets/{ETH}/adlActive", 0, f"$.markets.{ETH}.adlActive", "not true or false"),
        (f"markets/{ETH}/maxPnl8h", "-0.000000000000000001", f"$.markets.{ETH}.maxPnl8h", 'below pnl "0"'),
        ("pools/btc/kind", "private", "$.pools.btc.kind", '"private" is not shared or isolated'),
        ("pools/btc/backing", "both", "$.pools.btc.backing", '"both" is not own or mutual'),
        ("pools/both/backing", "mutual", "$.pools.both.backing", "a shared pool stands on its own"),
        (f"{HELD}/market", "DOGE-USD", f"{PATH_H}.market", 'unknown market "DOGE-USD"'),
        (f"{HELD}/market", "BTC-USD", f"{PATH_H}.market", 'belongs to the pool "btc"'),
        (f"{HELD}/side", "Long", f"{PATH_H}.side", '"Long" is not long or short'),
        (f"{HELD}/bankruptcyPrice", GONE, PATH_H, "exactly one of bankruptcyPrice and entryNotional"),
        (f"{HELD}/entryNotional", "710", PATH_H, "exactly one of bankruptcyPrice and entryNotional"),
        (f"{HELD}/bankruptcyPrice", "9" * 40, f"{PATH_H}.bankruptcyPrice", "too large"),
        ("pools/both/inventory/1", held("long", "1", "1"), "$.pools.both.inventory[1]", "second long inventory"),
        ("accounts/1/account", "maker", "$.accounts[1].account", 'duplicate account "maker"'),
        ("accounts/0/account", "", "$.accounts[0].account", "empty"),
        ("accounts/0/account", "a\u001bb", "$.accounts[0].account", "do not print"),
        ("accounts/0/account", "\ud800", "$.accounts[0].account", "do not print"),
        ("accounts/0/account", 7, "$.accounts[0].account", "7 is not a string"),
        ("accounts/0/marginMode", "portfolio", "$.accounts[0].marginMode", '"portfolio" is not isolated or cross'),
        (f"{IN_A}/market", "DOGE-USD", f"{PATH_A}.market", 'unknown market "DOGE-USD"'),
        (f"{IN_A}/side", "buy", f"{PATH_A}.side", '"buy" is not long or short'),
        (f"{IN_A}/entryPrice", GONE, PATH_A, "exactly one of entryPrice and entryNotional"),
        (f"{IN_A}/entryNotional", "1000", PATH_A, "exactly one of entryPrice and entryNotional"),
        (f"{IN_A}/entryPrice", "9" * 40, f"{PATH_A}.entryPrice", "too large"),
        (
            "accounts/1/positions/2",
            position("short", "1", "1"),
            "$.accounts[1].positions[2].market",
            f'second position of the account in "{ETH}"',
        ),
        (
            "accounts/0/positions/1",
            position("short", "1", "1", "SOL-USD"),
            "$.accounts[0].positions",
            "an isolated account has one position",
        ),
        (
            "accounts/1/positions/2",
            position("short", "1", "1", "BTC-USD"),
            "$.accounts[1].positions[2].market",
            '"BTC-USD" belongs to the pool "btc", the positions before to "both"',
        ),
    ],
)
def test_refused_with_the_path_of_the_fault(where: str, value: Any, path: str, says: str) -> None:
    at, message = refusal(json.dumps(edited(where, value)))
    assert at == path
    assert says in message


def test_a_negative_entry_notional_of_a_position_is_refused() -> None:
    place = {"market": ETH, "side": "short", "contracts": "1", "entryNotional": "-1"}
    assert refusal(json.dumps(edited(IN_A, place))) == (f"{PATH_A}.entryNotional", '"-1" is negative')


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("", "$", "not JSON: Expecting value at line 1, column 1"),
        ("{", "$", "not JSON"),
        ("{} {}", "$", "not JSON: Extra data"),
        ("[]", "$", "an array is not an object"),
        ("null", "$", "null is not an object"),
        ("1", "$", "1 is not an object"),
        pytest.param("[" * 100_000, "$", "nested too deeply", id="deep arrays"),
        pytest.param('{"a":' * 100_000, "$", "nested too deeply", id="deep objects"),
        pytest.param("[1, " * 33, "$", "nested too deeply", id="33 levels"),
        pytest.param("[1, " * 32, "$", "not JSON: Expecting value", id="32 levels"),
        pytest.param("[[], " * 32, "$", "nested too deeply", id="33 levels, others closed before"),
        pytest.param("[[], " * 31, "$", "not JSON: Expecting value", id="32 levels, others closed before"),
        pytest.param(
            '["[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[',
            "$",
            "Unterminated",
            id="in strings",
        ),
        pytest.param('"' + '\\"' * 100_000, "$", "Unterminated", id="a string without end"),
        pytest.param('{"version": 1' + "0" * 5000 + "}", "$.version", "not a whole number", id="huge version"),
        ('{"version": 1, "version": 1}', "$.version", "duplicate key"),
        ('{"version": 1, "a b": 1, "markets": {}, "pools": {}, "accounts": []}', '$["a b"]', "unknown key"),
        ('{"version": 1, "markets": {"": {}}, "pools": {}, "accounts": []}', '$.markets[""]', "empty"),
        ('{"version": 1, "markets": {}, "pools": {"p\\u0007": {}}, "accounts": []}', '$.pools["p\\u0007"]', "print"),
        ('{"version": 2, "rooms": []}', "$.version", "2 is not a version"),
    ],
)
def test_what_is_no_snapshot_at_all_is_refused(text: str, path: str, says: str) -> None:
    at, message = refusal(text)
    assert at == path
    assert says in message


def test_a_key_that_stands_twice_is_refused_where_it_stands() -> None:
    text = json.dumps(book()).replace('"collateral": "1000"', '"collateral": "1", "collateral": "1000"')
    assert refusal(text) == ("$.accounts[0].collateral", "duplicate key: keep one")


def test_a_refusal_is_an_error_of_this_package() -> None:
    assert issubclass(SnapshotError, BackstopError)
    assert SnapshotError("$.a", "b").exit_code == 2


# ------------------------------------------------------------------ notionals


def test_a_price_becomes_a_notional_rounded_up_with_the_signed_size() -> None:
    place = {"market": ETH, "contracts": "0.000000000000000003", "entryPrice": "1.5"}
    for side, notional in (("long", 5), ("short", -4)):
        state = loads(json.dumps(edited(IN_A, {**place, "side": side})))
        assert state.accounts[0].positions[0].entry_notional == notional


def test_the_notional_of_an_inventory_has_the_sign_of_its_price_in_the_file() -> None:
    for side, written, notional in (("long", "-5", -5), ("short", "-5", 5), ("short", "5", -5), ("long", "5", 5)):
        item = {"market": ETH, "side": side, "contracts": "1", "entryNotional": written}
        state = loads(json.dumps(edited(HELD, item)))
        assert state.pools["both"].inventory[0].entry_notional == notional * WAD
        assert json.loads(dumps(state))["pools"]["both"]["inventory"] == [item]


def test_a_notional_is_below_the_largest_amount() -> None:
    place = {"market": ETH, "side": "long", "contracts": "10"}
    largest = "9" * 39 + ".9"
    state = loads(json.dumps(edited(IN_A, {**place, "entryPrice": largest})))
    assert state.accounts[0].positions[0].entry_notional == 10 * wad(largest) == (10**40 - 1) * WAD
    at, message = refusal(json.dumps(edited(IN_A, {**place, "entryPrice": "1" + "0" * 39})))
    assert at == f"{PATH_A}.entryPrice"
    assert message == "contracts times this price is too large: amounts are below 10^40"


@pytest.mark.parametrize("sides", [("long", "short"), ("short", "long")])
def test_a_wei_of_inventory_has_the_side_that_it_has(sides: tuple[str, str]) -> None:
    inventory = [held(side, "0.000000000000000001", "90") for side in sides]
    state = loads(json.dumps(edited("pools/both/inventory", inventory)))
    assert [item.size for item in state.pools["both"].inventory] == [1 if side == "long" else -1 for side in sides]


def test_a_file_is_indented_by_two() -> None:
    lines = dumps(loads(json.dumps(book()))).splitlines()
    assert lines[:4] == ["{", '  "version": 1,', '  "block": {', '    "chainId": 31337,']
    assert lines[-1] == "}"


# ------------------------------------------------------------------ how a refusal shows what it refuses


@pytest.mark.parametrize(
    ("side", "shown"),
    [
        pytest.param("länge", '"länge"', id="as it is"),
        pytest.param("l\u200bng", '"l\\u200bng"', id="what does not print"),
        pytest.param("l\u200blänge", '"l\\u200bl\\u00e4nge"', id="both"),
        pytest.param("x" * 46, '"' + "x" * 46 + '"', id="48 characters with the quotes"),
        pytest.param("x" * 47, '"' + "x" * 47 + "…", id="49"),
    ],
)
def test_a_text_is_shown_readable_and_cut(side: str, shown: str) -> None:
    at, message = refusal(json.dumps(edited(f"{IN_A}/side", side)))
    assert (at, message) == (f"{PATH_A}.side", f"{shown} is not long or short")


def test_an_amount_that_does_not_print_is_shown_escaped() -> None:
    at, message = refusal(json.dumps(edited("accounts/0/collateral", "1\n2")))
    assert at == "$.accounts[0].collateral"
    says = "is not a decimal amount: write digits, at most one dot, no exponent, like"
    assert message == rf"\"1\n2\" {says} \"-7000.5\""


def test_an_unknown_key_names_all_that_are_known() -> None:
    _, message = refusal(json.dumps(edited("extra", 1)))
    assert message == "unknown key: expected version, markets, pools, accounts or block"
    with pytest.raises(SnapshotError, match=r"^\$\.a: unknown key: expected b$"):
        parse('{"a": 1, "b": 1}').object(required=("b",))


# ------------------------------------------------------------------ round trip

names = st.text(min_size=1, max_size=8).filter(str.isprintable)
amounts = st.integers(-(10**58) + 1, 10**58 - 1)
positive = st.integers(1, 10**58 - 1)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    pools = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    markets: dict[str, Market] = {}
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        pnl = draw(amounts)
        fractions = [draw(st.integers(0, 10 * WAD)) for _ in range(4)]
        markets[name] = Market(
            name,
            draw(positive),
            fractions[0],
            draw(st.sampled_from(pools)),
            *fractions[1:],
            adl_active=draw(st.booleans()),
            pnl=pnl,
            max_pnl_8h=draw(st.integers(pnl, 10**58 - 1)),
            is_live=draw(st.booleans()),
            is_closed=draw(st.booleans()),
        )
    return Snapshot(
        block=draw(st.none() | st.builds(Block, *[st.integers(0, 10**20 - 1)] * 2, names, st.integers(0, 10**20 - 1))),
        markets=markets,
        pools={name: _pool(draw, name, markets) for name in pools},
        accounts=tuple(_account(draw, name, markets) for name in draw(st.lists(names, max_size=5, unique=True))),
    )


def _pool(draw: st.DrawFn, name: str, markets: dict[str, Market]) -> Pool:
    keys = [(market.name, sign) for market in markets.values() if market.pool == name for sign in (1, -1)]
    kind, backing = draw(st.sampled_from([("shared", "own"), ("isolated", "own"), ("isolated", "mutual")]))
    held_keys = draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    inventory = tuple(Inventory(of, sign * draw(positive), draw(amounts)) for of, sign in held_keys)
    return Pool(name, PoolKind(kind), Backing(backing), draw(amounts), inventory)


def _account(draw: st.DrawFn, name: str, markets: dict[str, Market]) -> Account:
    mode = draw(st.sampled_from(MarginMode))
    of_pool = draw(st.sampled_from([market.pool for market in markets.values()]))
    usable = [market.name for market in markets.values() if market.pool == of_pool]
    most = 1 if mode is MarginMode.ISOLATED else len(usable)
    positions = []
    for of in draw(st.lists(st.sampled_from(usable), unique=True, max_size=most)):
        sign = draw(st.sampled_from([1, -1]))
        positions.append(Position(of, sign * draw(positive), sign * draw(st.integers(0, 10**58 - 1))))
    return Account(name, mode, draw(amounts), tuple(positions))


@given(snapshots())
def test_a_snapshot_survives_its_file_to_the_wei(state: Snapshot) -> None:
    written = dumps(state)
    read = loads(written)
    assert read == state
    assert list(read.markets) == list(state.markets)
    assert list(read.pools) == list(state.pools)
    assert dumps(read) == written
