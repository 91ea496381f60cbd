"""The keeper itself: its key, what that has to spend, and its bond."""

from __future__ import annotations

from collections.abc import Iterator

from eth_utils.address import to_checksum_address

from backstop.chain.bindings import AVAILABLE_BOND, ROUND_PARAMETERS
from backstop.chain.deployment import Deployment, is_address
from backstop.chain.endpoint import Endpoint
from backstop.chain.fund_view import read_fund
from backstop.errors import BackstopError, RpcError
from backstop.math.fund import drawdown_compensation
from backstop.math.wad import format_amount
from backstop.preflight.findings import Finding, fail, ok, skip, warn
from backstop.settings.model import Fees, Key
from backstop.settings.signing import open_key
from backstop.settings.units import show_wei

_PATIENCE = 10.0  # seconds for a signer to answer
_READ_KEY = "mend [key] of the settings, or run without --send"


def look_at_key(key: Key) -> tuple[str | None, Finding]:
    """The address of the key, where it is to be had, and what is to be told of it."""
    if not key.is_set:
        return None, skip("key", "none: only a dry run is possible")
    if key.signer is not None:
        return _look_at_signer(key.signer.get_secret_value(), key.address)
    try:
        address = str(open_key(key).address)
    except BackstopError as fault:
        return None, fail("key", str(fault), _READ_KEY)
    if key.passphrase_file is not None and key.passphrase_file.stat().st_mode & 0o077:
        advice = f"chmod 600 {key.passphrase_file}"
        return address, warn("key", f"{address}, but others may read {key.passphrase_file}", advice)
    return address, ok("key", address)


def _look_at_signer(url: str, address: str | None) -> tuple[str | None, Finding]:
    try:
        endpoint = Endpoint(url, _PATIENCE)
        accounts = endpoint.request("eth_accounts")
    except RpcError as fault:
        return None, fail("key", f"the external signer: {fault}", "start it first, or mend key.signer")
    known = [to_checksum_address(one) for one in accounts if is_address(one)] if isinstance(accounts, list) else []
    if address is None and len(known) == 1:
        address = known[0]
    if address is None or address not in known:
        what = f"does not sign for {address}" if address else f"has {len(known)} accounts"
        return None, fail("key", f"the external signer at {endpoint.url} {what}", "set key.address to one that it has")
    return address, ok("key", f"{address}, an external signer at {endpoint.url}")


def look_at_balance(endpoint: Endpoint, address: str, fees: Fees) -> Finding:
    """What the key has, against what it may spend in a day."""
    try:
        balance = endpoint.quantity("eth_getBalance", address, "latest")
    except BackstopError as fault:
        return fail("balance", str(fault), "mend the node")
    has = f"{address} has {show_wei(balance)}"
    if balance < fees.low_balance:
        missing = max(fees.budget_per_day, fees.low_balance) - balance
        return fail("balance", f"{has}, less than fees.low_balance", f"send it {show_wei(missing)}")
    if balance < fees.budget_per_day:
        return warn(
            "balance",
            f"{has}, less than a day's budget of {show_wei(fees.budget_per_day)}",
            f"send it {show_wei(fees.budget_per_day - balance)}, or lower fees.budget_per_day",
        )
    return ok("balance", f"{has}, a day's budget is {show_wei(fees.budget_per_day)}")


def look_at_bond(endpoint: Endpoint, deployment: Deployment, address: str) -> Iterator[Finding]:
    """The free bond, against what a round of any pool may need.

    A round needs twice its compensation, within two bounds. What is asked for here is the compensation of a market
    whose loss has eaten all that its pool had, or what it has lost beyond that by now.
    """
    try:
        free = int(endpoint.call(deployment.round_book, AVAILABLE_BOND, address))
        *_, least, most = endpoint.call(deployment.round_book, ROUND_PARAMETERS)
        needed, pool = largest_need(endpoint, deployment, least, most)
    except BackstopError as fault:
        yield fail("bond", str(fault), "mend the node")
        return
    text = f"{format_amount(free)} free for rounds"
    post = "backstop bond post {} --send"
    if free < least:
        yield fail("bond", f"{text}, any round needs {format_amount(least)}", post.format(format_amount(least - free)))
    elif free < needed:
        text += f", a round of {pool} may need {format_amount(needed)}"
        yield warn("bond", text, post.format(format_amount(needed - free)))
    else:
        yield ok("bond", f"{text}, a round may need {format_amount(needed)}")


def largest_need(endpoint: Endpoint, deployment: Deployment, least: int, most: int) -> tuple[int, str]:
    """The most that a round of a pool needs, within the bounds, and which pool that is."""
    largest, name = 0, "none"
    for pool in read_fund(endpoint, deployment).pools:
        for market in pool.markets:
            emptied = max(market.backing.loss, market.backing.base, -pool.balance)
            compensation = drawdown_compensation(emptied, market.backing.base, market.view.target)
            if compensation > largest:
                largest, name = compensation, pool.name
    return min(max(2 * largest, least), most), name
