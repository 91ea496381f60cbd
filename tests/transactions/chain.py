"""A chain of a test's own, and a contract that counts its calls: an effect that happens twice is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.chain.endpoint import Endpoint

CHAIN_ID = 31337
COUNTER = "0x" + "c0" * 20
ONCE = b"\x01"  # calldata with which a second effect reverts
# sstore(0, sload(0) + 1), and a revert where there is calldata and the slot is not 0
_CODE = "0x3615600e575f5415600e575f5ffd5b5f546001015f5500"
KEY = "0x" + "42" * 32
GWEI = 10**9

Request = Callable[..., Any]


class Chain(Endpoint):
    """An Anvil's endpoint. Notes what is asked; `before` and `after` a method a test may do something once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.full_url = url
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.instead: dict[str, list[Callable[[Request, tuple[Any, ...]], Any]]] = {}

    def request(self, method: str, *params: Any) -> Any:
        self.asked.append((method, params))
        if waiting := self.instead.get(method):
            return waiting.pop(0)(super().request, (method, *params))
        return super().request(method, *params)

    @property
    def raws(self) -> list[str]:
        """The raw transactions that were sent over this endpoint."""
        return [str(params[0]) for method, params in self.asked if method == "eth_sendRawTransaction"]

    def effects(self) -> int:
        """How often the counter was called with success."""
        return int(Endpoint(self.full_url).request("eth_getStorageAt", COUNTER, "0x0", "latest"), 16)

    def no_mining(self) -> None:
        """Blocks are mined by `mine` alone."""
        self.request("evm_setAutomine", False)

    def mine(self, blocks: int = 1, seconds: int = 1) -> None:
        """Blocks, so many seconds apart."""
        self.request("anvil_mine", hex(blocks), hex(seconds))

    def pool(self) -> list[dict[str, Any]]:
        """What waits to be mined."""
        content = self.request("txpool_content")
        return [tx for kind in ("pending", "queued") for of in content[kind].values() for tx in of.values()]

    def transaction(self, sent: str) -> Any:
        """A transaction by its hash."""
        return self.request("eth_getTransactionByHash", sent)

    def fund(self, signer: LocalAccount) -> LocalAccount:
        """Gas money."""
        self.request("anvil_setBalance", signer.address, hex(10**21))
        return signer

    def foreign(self, signer: LocalAccount, nonce: int, gwei: int = 100) -> str:
        """A transaction of the key that no journal knows."""
        signed = signer.sign_transaction(
            {
                "type": 2,
                "chainId": CHAIN_ID,
                "nonce": nonce,
                "to": signer.address,
                "value": 0,
                "data": b"",
                "gas": 21_000,
                "maxFeePerGas": gwei * GWEI,
                "maxPriorityFeePerGas": 10 * GWEI,
            }
        )
        return str(Endpoint(self.full_url).request("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex()))


def prepared(url: str) -> Chain:
    """The counter's code, and gas money for the key."""
    chain = Chain(url)
    chain.request("anvil_setCode", COUNTER, _CODE)
    chain.fund(Account.from_key(KEY))
    chain.mine()
    chain.asked.clear()
    return chain
