"""Cross accounts as `backstop snapshot` reads them: margin with funding settled, positions in order, the proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ape import chain

from backstop.account_id import account_text, cross_sub_id
from backstop.adl.ranking import rank
from backstop.adl.scoring import legs_of
from backstop.adl.snapshot import MarginMode, Side
from backstop.adl.snapshot_file import loads
from backstop.chain import snapshot as reader
from backstop.chain.bindings import WITHDRAW
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_chain
from backstop.errors import RpcError
from backstop.math.margin import equity, maintenance_margin
from backstop.math.wad import format_amount
from scripts.stage.cross import GAPPED, HOLDERS, Harbour, play
from scripts.stage.venue import Venue, rpc_url, tokens, wad

from .command import backstop, backstop_inside
from .crossing import ETH, SOL, XBT, account, on_chain, ranking_of_contracts, read, sizes, trade


@pytest.fixture(scope="module")
def harbour(venue: Venue) -> Harbour:
    """Three markets on one pool, seven traders, one hour of funding."""
    return play(venue)


# ------------------------------------------------------------------ accounts


def test_every_account_stands_where_the_exchange_says(harbour: Harbour) -> None:
    state = read(harbour)
    for holder in HOLDERS:
        shown, stands = account(state, harbour, holder.trader), on_chain(harbour, holder.trader)
        legs = legs_of(state.snapshot, shown)
        assert shown.margin_mode is (MarginMode.CROSS if holder.cross else MarginMode.ISOLATED)
        assert shown.margin == stands.health.collateral
        assert equity(shown.margin, legs) == stands.health.equity
        assert maintenance_margin(legs) == stands.health.maintenanceMargin
        assert [leg.maintenance_margin for leg in legs] == [leg.maintenanceMargin for leg in stands.legs]
        assert sizes(state, harbour, holder.trader) == {name: wad(size) for name, size in holder.contracts.items()}


def test_funding_is_taken_off_the_margin_before_anybody_settles_it(harbour: Harbour) -> None:
    """Longs of 40 at 1.5 and of 1 at 30, a short of 200 at 0.075: 60 + 30 - 15."""
    exchange = harbour.venue.system.exchange
    own = next(one for one in HOLDERS if one.trader == "atlas")
    stored = exchange.crossAccount(harbour.account(own)).margin
    assert stored - account(read(harbour), harbour, "atlas").margin == wad(75)
    assert wad(14000) - stored == wad("96.048")  # what it paid in fees: two and five basis points


def test_an_hour_that_is_over_counts_before_any_transaction(harbour: Harbour) -> None:
    """The lens accrues as the exchange would at the block that is read."""
    trade(harbour, "heron", "hawk", ETH, "1", "3003")
    before = account(read(harbour), harbour, "heron")
    harbour.venue.endpoint.request("evm_increaseTime", 3600)
    harbour.venue.endpoint.request("evm_mine")
    # Short 10 at 0.1 % of 3,000, which is as much as a fill may count.
    assert account(read(harbour), harbour, "heron").margin - before.margin == wad(30)
    assert (
        harbour.venue.system.exchange.market(harbour.markets[ETH].id).funding.hour
        == chain.blocks.head.timestamp // 3600 - 1
    )


def test_positions_stand_in_market_order_however_they_were_opened(harbour: Harbour) -> None:
    trade(harbour, "lynx", "drift", SOL, "20", "150")
    trade(harbour, "heron", "drift", ETH, "-10", "3000")
    trade(harbour, "heron", "drift", ETH, "2", "3000")
    state = read(harbour)
    assert [one.market for one in account(state, harbour, "drift").positions] == [ETH, XBT, SOL]
    assert list(sizes(state, harbour, "drift").values()) == [wad(2), wad("-0.6"), wad(20)]


def test_a_cross_account_without_positions_is_shown_while_it_has_margin(harbour: Harbour) -> None:
    venue, rower = harbour.venue, harbour.venue.trader("rower")
    own = venue.deposit_to(rower, cross_sub_id(7), 5)
    shown = {one.id: one for one in read(harbour).snapshot.accounts}
    assert shown[account_text(own)].margin == wad(5)
    assert shown[account_text(own)].positions == ()
    venue.send(rower, venue.system.exchange, WITHDRAW.encode(own, tokens(5), rower.address))
    assert account_text(own) not in {one.id for one in read(harbour).snapshot.accounts}


# ------------------------------------------------------------------ pages


@pytest.mark.parametrize("page", [1, 3, 4])
def test_pages_and_one_page_are_the_same(page: int, harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(harbour)
    monkeypatch.setattr(reader, "PAGE", page)
    assert read(harbour) == whole


def test_a_node_that_has_lost_cross_accounts_is_not_believed(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lossy(Endpoint):
        def call_all(self, asked: Any, *options: Any) -> Any:
            pages = super().call_all(asked, *options)
            return pages[:1] + [()] * len(pages[1:]) if asked[0].function is reader.LENS_CROSS_ACCOUNTS else pages

    monkeypatch.setattr(reader, "PAGE", 2)
    with pytest.raises(RpcError, match="has 2 of 4 cross accounts"):
        read_chain(Lossy(rpc_url()), harbour.venue.deployment)


# ------------------------------------------------------------------ the proof


def test_claims_of_all_kinds_are_the_tokens_held(harbour: Harbour) -> None:
    """Both sides of a fill pay 7 basis points; half is the pool's, three tenths the treasury's."""
    trade(harbour, "hawk", "heron", ETH, "1", "3000")
    state = read(harbour)
    swept = 50 * wad("3001.5") * 7 // 10_000
    assert state.claims_of["treasury"] == swept * 3 // 10
    assert state.claims_of["keeper budget"] == swept * 2 // 10
    unswept = wad("60030") + 350 * wad("150.075") + wad("3000")
    assert state.claims_of["unswept fees"] == unswept * 7 // 10_000
    # Two shorts have settled what they get: hawk 14 times 1.5, heron 9 times.
    assert state.claims_of["funding pots"] == -wad("34.5")
    assert state.claims == state.tokens_held
    assert state.tokens_held == harbour.venue.system.token.balanceOf(harbour.venue.system.exchange) * 10**12


def test_the_proof_holds_at_every_block(harbour: Harbour) -> None:
    """From the first market on: deposits, fills, accruals, sweeps."""
    venue = harbour.venue
    seen: dict[str, set[int]] = {kind: set() for kind in read(harbour).claims_of}
    for number in range(venue.deployment.block + 20, chain.blocks.head.number + 1):
        state = read_chain(venue.endpoint, venue.deployment, number)
        assert state.claims == state.tokens_held, number
        assert not any(state.sums_of_sizes.values())
        for kind, amount in state.claims_of.items():
            seen[kind].add(amount)
    assert len(seen["unswept fees"]) > 5


# ------------------------------------------------------------------ from the file


@pytest.mark.parametrize("gapped", [False, True], ids=["before the gap", "after the gap"])
def test_the_file_ranks_as_the_contracts_do(gapped: bool, harbour: Harbour, tmp_path: Path) -> None:
    """Order, size, equity and score of all sides; and the prices of every position, to the wei."""
    if gapped:
        harbour.gap()
    file, deployment = tmp_path / "state.json", tmp_path / "deployment.json"
    harbour.venue.deployment.save(deployment)
    source = ("--rpc", rpc_url(), "--deployment", deployment)
    assert backstop("snapshot", *source, "-o", file).status == 0
    snapshot = loads(file.read_text())
    assert snapshot == read(harbour).snapshot
    names = harbour.names()
    for market in harbour.markets:
        for side in Side:
            queue = rank(snapshot, market, side)
            by_contracts = ranking_of_contracts(harbour, market, side)
            assert [(one.account, one.contracts, one.leveraged_return) for one in queue] == [
                (own, abs(size), score) for own, size, _, score in by_contracts
            ]
            from_file = backstop_inside("rank", file, "--market", market, "--side", side, "--json")
            assert from_file.out == backstop_inside("rank", *source, "--market", market, "--side", side, "--json").out
            assert [one["account"] for one in from_file.document] == [own for own, *_ in by_contracts]
            for one in queue:
                stands = on_chain(harbour, names[one.account])
                [leg] = [leg for leg in stands.legs if leg.market == harbour.markets[market].id]
                assert one.bankruptcy_price == leg.bankruptcyPrice
                assert (one.liquidation_price or 0) == max(0, leg.liquidationPrice)
                assert one.margin_ratio == stands.marginRate
    if gapped:
        shorts = [names[one.account] for one in rank(snapshot, GAPPED, Side.SHORT)]
        assert shorts == ["corax", "boreas", "hawk", "heron"]
        assert "atlas" not in {names[one.account] for one in rank(snapshot, GAPPED, Side.LONG)}


def test_plan_of_the_file_is_that_of_the_chain(harbour: Harbour, tmp_path: Path) -> None:
    harbour.gap()
    venue, file, deployment = harbour.venue, tmp_path / "state.json", tmp_path / "deployment.json"
    atlas = next(one for one in HOLDERS if one.trader == "atlas")
    venue.system.exchange.takeOver(harbour.account(atlas), sender=venue.owner)
    venue.deployment.save(deployment)
    source = ("--rpc", rpc_url(), "--deployment", deployment)
    assert backstop_inside("snapshot", *source, "-o", file).status == 0
    planned = backstop_inside("plan", file, "--json")
    assert planned.out == backstop_inside("plan", *source, "--json").out
    [due] = planned.document
    terms = venue.system.fund.adlTerms(harbour.markets[GAPPED].id, 0)
    assert (due["compensation"], due["adlPrice"]) == (format_amount(terms.compensation), format_amount(terms.price))
