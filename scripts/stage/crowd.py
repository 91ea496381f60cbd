"""Many traders at once: transactions are signed ahead and sent without waiting for each receipt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from eth_account.signers.local import LocalAccount

from backstop.account_id import isolated_account, isolated_sub_id
from backstop.chain.bindings import APPROVE, DEPOSIT, MINT, SETTLE, SETTLE_BATCH
from backstop.math.wad import WAD
from backstop.orders import sign
from scripts.stage.venue import UNLIMITED, TestMarket, Venue, tokens

GAS = 15_000_000  # of each call: half a block of 30 million
_PATIENCE = 30  # seconds
_PAIRS = 30  # of a batch: less than a call's gas, with new positions on both sides
_MAX_FEE = 10**11  # far above what an Anvil that mines small blocks ever asks


@dataclass(frozen=True)
class Call:
    """A transaction to be: who signs it, to which contract."""

    signer: LocalAccount
    to: Any
    data: bytes


def send_all(venue: Venue, calls: list[Call], sent: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Sends in order, each signer's nonces counted here; then reads all receipts. Every call must succeed.

    `sent` is called after each that was sent.
    """
    chain_id = venue.deployment.chain_id
    nonces: dict[str, int] = {}
    hashes: list[str] = []
    for call in calls:
        address = call.signer.address
        if address not in nonces:
            nonces[address] = venue.endpoint.quantity("eth_getTransactionCount", address, "pending")
        transaction = {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonces[address],
            "to": call.to.address,
            "value": 0,
            "data": call.data,
            "gas": GAS,
            "maxFeePerGas": _MAX_FEE,
            "maxPriorityFeePerGas": 1,
        }
        nonces[address] += 1
        raw = call.signer.sign_transaction(transaction).raw_transaction
        hashes.append(venue.endpoint.request("eth_sendRawTransaction", "0x" + raw.hex()))
        sent()
    return [_receipt(venue, call, mined) for call, mined in zip(calls, hashes, strict=True)]


def _receipt(venue: Venue, call: Call, sent: str) -> dict[str, Any]:
    """The receipt of a successful transaction; Anvil may have it a moment after it has taken the transaction."""
    deadline = time.monotonic() + _PATIENCE
    while (receipt := venue.endpoint.request("eth_getTransactionReceipt", sent)) is None:
        if time.monotonic() > deadline:
            raise click.ClickException(f"{sent} of the crowd is not mined after {_PATIENCE} s")
        time.sleep(0.005)
    if int(receipt["status"], 16) != 1:
        raise click.ClickException(f"{sent} of {call.signer.address} to {call.to.address} failed")
    mined: dict[str, Any] = receipt
    return mined


def deposit_calls(venue: Venue, signer: LocalAccount, market: TestMarket, amount: Any) -> list[Call]:
    """Mint, approve and deposit test tokens into the trader's account of a market."""
    return deposit_to_calls(venue, signer, isolated_sub_id(market.id), amount)


def deposit_to_calls(venue: Venue, signer: LocalAccount, sub_id: int, amount: Any) -> list[Call]:
    """The same into any of the trader's accounts."""
    units = tokens(amount)
    return [
        Call(signer, venue.system.token, MINT.encode(signer.address, units)),
        Call(signer, venue.system.token, APPROVE.encode(venue.system.exchange.address, UNLIMITED)),
        Call(signer, venue.system.exchange, DEPOSIT.encode(sub_id, units)),
    ]


def trade_call(
    venue: Venue, maker: LocalAccount, taker: LocalAccount, market: TestMarket, contracts: int, price: int
) -> Call:
    """The taker takes signed `contracts` (WAD) from the maker at `price` (WAD), and settles."""
    made = venue.order(maker, market, -contracts, price)
    taken = venue.order(taker, market, contracts, price)
    data = SETTLE.encode(
        made.values(), sign(made, venue.domain, maker), taken.values(), sign(taken, venue.domain, taker), abs(contracts)
    )
    return Call(taker, venue.system.exchange, data)


def sale_calls(
    venue: Venue,
    makers: list[LocalAccount],
    taker: LocalAccount,
    market: TestMarket,
    price: int,
    *,
    contracts: int = WAD,
    accounts: list[bytes] | None = None,
) -> list[Call]:
    """The taker takes signed `contracts` (WAD) from each maker at `price` (WAD), many pairs to a call.

    `accounts` are the makers', where they are not their isolated ones.
    """
    taken = venue.order(taker, market, contracts * len(makers), price)
    signature = sign(taken, venue.domain, taker)
    pairs = []
    for maker, held in zip(makers, accounts or [account(each, market) for each in makers], strict=True):
        made = venue.order(maker, market, -contracts, price, account=held)
        made_signature = sign(made, venue.domain, maker)
        pairs.append((made.values(), made_signature, taken.values(), signature, abs(contracts)))
    batches = [pairs[start : start + _PAIRS] for start in range(0, len(pairs), _PAIRS)]
    return [Call(taker, venue.system.exchange, SETTLE_BATCH.encode(batch)) for batch in batches]


def gas_of(venue: Venue, call: Call) -> int:
    """Gas used by one transaction, from its receipt."""
    [receipt] = send_all(venue, [call])
    return int(receipt["gasUsed"], 16)


def account(signer: LocalAccount, market: TestMarket) -> bytes:
    """The trader's account of a market."""
    return isolated_account(signer.address, market.id)
