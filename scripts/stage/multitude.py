"""Thousands of accounts with positions, by real transactions: many to a block, and many accounts to an owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

import click
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, cross_sub_id, isolated_sub_id
from backstop.chain.bindings import APPROVE, DEPOSIT, MINT, SETTLE_BATCH
from backstop.orders import Domain, Order, sign
from scripts.stage.venue import FEED_DECIMALS, ONE_DAY, UNLIMITED, TestMarket, Venue, tokens, wad

_GAS_OF_BLOCK = 2_000_000_000
_DEPOSIT_GAS, _PAIR_GAS = 400_000, 600_000
_DEPOSITS_AT_ONCE, _PAIRS_AT_ONCE, _BATCHES_AT_ONCE = 1000, 50, 20


def settle_multitude(
    venue: Venue, market: TestMarket, count: int, seed: int = 7, margins: tuple[int, int] = (20, 100)
) -> LocalAccount:
    """`count` accounts of one owner, each with a position in the market: every tenth a cross one, half of them long.

    Pairs trade one to a hundred contracts at the market's price, with `margins` percent of their notional, between
    the two: with a fifth nobody is weak. Returns the owner.
    """
    draws = Random(seed)
    signer = venue.trader(f"multitude of {market.name}")
    sub_ids = sub_ids_of(market, count)
    sizes = [draws.randint(1, 100) for _ in range(count // 2)]
    price = Decimal(market.feed.latestRoundData()[1]) / 10**FEED_DECIMALS
    collateral = [tokens(sizes[i // 2] * price * draws.randint(*margins) // 100) for i in range(count // 2 * 2)]
    exchange = venue.system.exchange.address
    venue.endpoint.request("anvil_setBalance", signer.address, hex(10**30))
    venue.endpoint.request("anvil_impersonateAccount", signer.address)
    in_blocks(
        venue,
        signer,
        [
            (venue.system.token.address, MINT.encode(signer.address, 10 * sum(collateral)), _DEPOSIT_GAS),
            (venue.system.token.address, APPROVE.encode(exchange, UNLIMITED), _DEPOSIT_GAS),
        ],
        1,
    )
    deposits = zip(sub_ids, collateral, strict=False)
    in_blocks(
        venue,
        signer,
        [(exchange, DEPOSIT.encode(sub_id, margin), _DEPOSIT_GAS) for sub_id, margin in deposits],
        _DEPOSITS_AT_ONCE,
    )
    now = venue.endpoint.head().timestamp
    order = partial(Order, market=market.id, limit_price=wad(price), expiry=now + ONE_DAY)
    pairs = [
        _pair(
            venue.domain,
            signer,
            order(account_of(signer.address, sub_ids[2 * i]), size=-wad(size), salt=2 * i),
            order(account_of(signer.address, sub_ids[2 * i + 1]), size=wad(size), salt=2 * i + 1),
        )
        for i, size in enumerate(sizes)
    ]
    batches = [(exchange, SETTLE_BATCH.encode(part), _PAIR_GAS * len(part)) for part in _parts(pairs, _PAIRS_AT_ONCE)]
    in_blocks(venue, signer, batches, _BATCHES_AT_ONCE)
    return signer


def sub_ids_of(market: TestMarket, count: int) -> list[int]:
    """The owner's sub-accounts."""
    return [cross_sub_id(i) if i % 10 == 0 else isolated_sub_id(market.id, i) for i in range(count)]


def _pair(domain: Domain, signer: LocalAccount, made: Order, taken: Order) -> tuple[Any, ...]:
    """A pair of orders as `settleBatch` takes it."""
    signatures = (sign(order, domain, signer) for order in (made, taken))
    return made.values(), next(signatures), taken.values(), next(signatures), abs(made.size)


def in_blocks(venue: Venue, signer: LocalAccount, calls: Sequence[tuple[str, bytes, int]], at_once: int) -> None:
    """Sends (to, data, gas) from an impersonated account, so many to a block. Every one must succeed."""
    node = venue.endpoint
    limit = node.request("eth_getBlockByNumber", "latest", False)["gasLimit"]
    node.request("evm_setBlockGasLimit", hex(_GAS_OF_BLOCK))
    node.request("evm_setAutomine", False)
    try:
        for part in _parts(calls, at_once):
            nonce = node.quantity("eth_getTransactionCount", signer.address, "latest")
            sent = node.batch(
                [
                    (
                        "eth_sendTransaction",
                        [
                            {
                                "from": signer.address,
                                "to": to,
                                "data": "0x" + data.hex(),
                                "gas": hex(gas),
                                "nonce": hex(nonce + i),
                                "maxFeePerGas": hex(10**12),
                                "maxPriorityFeePerGas": "0x1",
                            }
                        ],
                    )
                    for i, (to, data, gas) in enumerate(part)
                ]
            )
            node.request("evm_mine")
            receipts = node.batch([("eth_getTransactionReceipt", [one]) for one in sent])
            failed = [one for one, receipt in zip(sent, receipts, strict=True) if not _succeeded(receipt)]
            if failed:
                raise click.ClickException(f"{failed[0]} of the multitude, and {len(failed) - 1} more, failed")
    finally:
        node.request("evm_setAutomine", True)
        node.request("evm_setBlockGasLimit", limit)


def _succeeded(receipt: Any) -> bool:
    return receipt is not None and int(receipt["status"], 16) == 1


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
