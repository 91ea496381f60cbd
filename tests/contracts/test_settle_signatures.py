"""Who has signed an order that is settled, with a key or as a contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ape import project

from backstop.orders import Domain, sign
from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.bouts import HUNDRED, ROLES, TEN, Bout, open_ring
from tests.support.acting import refused
from tests.support.desk import Desk
from tests.support.proofs import nothing_changes

SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each; the market is at 100, IM 10 %, MM 5 %."""
    return open_ring(venue, market)


# ---------------------------------------------------------------------- signatures


@ROLES
@pytest.mark.parametrize(
    "signature", [b"", b"\x01" * 64, b"\x01" * 65, b"\x00" * 65, b"\x01" * 66], ids=["none", "64", "65", "zero", "66"]
)
def test_no_signature_at_all(desk: Desk, role: str, signature: bytes) -> None:
    bout = Bout(desk)
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)),
    ):
        bout.settle(**{role: signature})


@ROLES
def test_signed_by_somebody_else(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    forged = desk.signed(bout.order(role), desk.trader("forger"))
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)):
        bout.settle(**{role: forged})


@ROLES
@pytest.mark.parametrize(
    "change",
    [{"size": 11}, {"limit_price": 1}, {"expiry": 1}, {"salt": 1}, {"reduce_only": True}],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_signed(desk: Desk, role: str, change: dict[str, int]) -> None:
    """An order that was changed after it had been signed; `account`, `market` and `epoch` meet other errors first."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    desk.trade(hawk, dove, -wad(50), HUNDRED)  # so that reduce-only would do
    bout = Bout(desk)
    signature = desk.signed(bout.order(role), bout.owner(role))
    ((name, by),) = change.items()
    present = getattr(bout.order(role), name)
    step = by if present >= 0 else -by
    bout.change(role, **{name: by if name == "reduce_only" else present + step})
    if (role, name) == ("maker", "limit_price"):
        bout.change("taker", limit_price=HUNDRED + 1)
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)):
        bout.settle(**{role: signature})


@ROLES
def test_a_signature_is_for_one_exchange_on_one_chain(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    here = desk.venue.domain
    elsewhere = [replace(here, chain_id=here.chain_id + 1), Domain(here.chain_id, desk.fund.address)]
    for domain in elsewhere:
        with refused(
            desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)
        ):
            bout.settle(**{role: sign(bout.order(role), domain, bout.owner(role))})


@ROLES
def test_the_other_signature_of_the_same_key_is_refused(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    signature = desk.signed(bout.order(role), bout.owner(role))
    s = SECP256K1 - int.from_bytes(signature[32:64], "big")
    mirrored = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(bout.owner(role)), order=bout.hash(role)):
        bout.settle(**{role: mirrored})


def test_the_digest_is_the_one_that_python_signs(desk: Desk) -> None:
    order = desk.order(desk.trader("hawk"), -TEN, HUNDRED, epoch=3, reduce_only=True)
    assert desk.exchange.orderHash(order.values()) == desk.hash(order)


# ---------------------------------------------------------------------- contract wallets


@pytest.fixture
def vault(desk: Desk) -> Any:
    """A contract wallet with 1,000 in its account, for which the warden signs."""
    wallet = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    desk.venue.endpoint.request("anvil_setBalance", wallet.address, hex(10**20))
    desk.deposit(wallet, 1000)
    return wallet


@ROLES
def test_a_contract_wallet_trades(desk: Desk, vault: Any, role: str) -> None:
    bout = Bout(desk)
    bout.change(role, account=desk.account(vault))
    signature = desk.signed(bout.order(role), desk.trader("warden"))
    bout.settle(**{role: signature})
    assert desk.holding(vault).size == (-TEN if role == "maker" else TEN)


def test_a_contract_wallet_refuses_what_its_key_did_not_sign(desk: Desk, vault: Any) -> None:
    bout = Bout(desk)
    bout.change("taker", account=desk.account(vault))
    for signature in (desk.signed(bout.taken, bout.taker), b"", b"\x01" * 65):
        with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(vault), order=bout.hash("taker")):
            bout.settle(taker=signature)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("fe", id="breaks"),
        pytest.param("60006000fd", id="reverts"),
        pytest.param("", id="is gone"),
        pytest.param("00", id="says nothing"),
        pytest.param("600160005260206000f3", id="says 1"),
        pytest.param("631626ba7e60005260206000f3", id="says the right word on the wrong side"),
        pytest.param("631626ba7e60e01b60005260046000f3", id="says too little"),
    ],
)
def test_a_contract_that_gives_another_answer(desk: Desk, vault: Any, code: str) -> None:
    bout = Bout(desk)
    bout.change("taker", account=desk.account(vault))
    signature = desk.signed(bout.taken, desk.trader("warden"))
    desk.venue.endpoint.request("anvil_setCode", vault.address, "0x" + code)
    with refused(desk.exchange.OrderSignatureInvalid, account=desk.account(vault), order=bout.hash("taker")):
        bout.settle(taker=signature)
