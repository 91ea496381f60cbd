"""The keeper that an operator leaves running, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eth_account import Account

from backstop.chain.bindings import BOND
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.heads import Halted, Heads, NewHead
from backstop.chain.nodes import Nodes
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import BudgetError, SettingsError
from backstop.index.accounts import AccountIndex
from backstop.keeper.buying import Buyer
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.liquidations import Liquidator
from backstop.keeper.loop import Loop
from backstop.keeper.pulse import Pulse
from backstop.keeper.reporting import Reporting, telling_steps
from backstop.keeper.showing import Showing
from backstop.keeper.stagger import Stagger
from backstop.keeper.unwinding import Unwinder, WayOut
from backstop.keeper.upkeep import Upkeep
from backstop.keeper.vitals import Vitals, tell_nodes
from backstop.orders import sign as sign_order
from backstop.settings import Settings
from backstop.settings.model import Duties
from backstop.settings.places import index_store, journal_store, make_folder
from backstop.settings.signing import open_key, policy_of
from backstop.telemetry import Telemetry
from backstop.transactions.journal import Journal
from backstop.transactions.lock import Hold, only_process
from backstop.transactions.sender import Sender
from backstop.transactions.signers import LocalSigner, Signer
from backstop.transactions.steps import Step

_MOST_BLOCKS = 10_000  # whose events upkeep reads in a look, so that nothing urgent waits for it


@dataclass(frozen=True, slots=True)
class Parts:
    """What a keeper, or a watcher, is made of."""

    settings: Settings
    deployment: Deployment
    nodes: Endpoint
    signer: Signer
    journal: Journal
    sender: Sender
    hold: Hold | None = None

    @property
    def chain_id(self) -> int:
        """Of the deployment."""
        return self.deployment.chain_id


def upkeep_of(duties: Duties) -> Upkeep:
    """What the settings say of the fund's upkeep."""
    return Upkeep(
        checkpoint=duties.checkpoint.enabled,
        redistribute=duties.redistribute.enabled,
        settle_exits=duties.settle_exits.enabled,
        isolated_seconds=duties.checkpoint.every,
        shared_seconds=duties.checkpoint.shared_every,
        least_exit=duties.settle_exits.least,
        order=(duties.checkpoint.priority, duties.redistribute.priority, duties.settle_exits.priority),
    )


def needs_key(settings: Settings) -> bool:
    """Whether what is due depends on whose account it is."""
    duties = settings.duties
    own = (duties.liquidate.enabled and duties.liquidate.up_to) or (
        duties.buy_inventory.enabled and duties.buy_inventory.up_to
    )
    return bool(own or duties.unwind.enabled)


@contextmanager
def opened(
    settings: Settings, *, send: bool, keeps: bool, needs: bool, telemetry: Telemetry | None = None
) -> Iterator[Parts]:
    """The parts, ready to send where `send` says so.

    What `keeps` a journal by itself has it in the state folder, and is the only process there with its key; else it is
    in memory unless the settings name one. `needs`: a key, also in a dry run. Raises a BackstopError for settings that
    cannot work.
    """
    place = Deployment.load(settings.deployment_file)
    nodes = _nodes(settings, telemetry)
    anonymous = not (send or needs or settings.key.keystore or settings.key.signer)
    signer: Signer = LocalSigner(Account.create()) if anonymous else open_key(settings.key)
    with ExitStack() as stack:
        journal, hold = _journal(settings, place.chain_id, signer, stack, send=send, keeps=keeps)
        on_step: Callable[[Step], None] = telling_steps(telemetry) if telemetry else lambda _: None
        private = settings.node.send_url
        sender = Sender(
            nodes,
            signer,
            place.chain_id,
            journal=journal,
            policy=policy_of(settings.fees),
            private=Endpoint(private.get_secret_value(), settings.node.timeout) if private else None,
            on_step=on_step,
        )
        yield Parts(settings, place, nodes, signer, journal, sender, hold)


def _nodes(settings: Settings, telemetry: Telemetry | None) -> Endpoint:
    node, urls = settings.node, settings.node_urls

    def tell(text: str) -> None:
        if telemetry and len(urls) > 1:
            telemetry.log.warning("nodes", reason=text)

    def fault(number: int, reason: str) -> None:
        if telemetry:
            telemetry.node_error(number, reason)

    return Nodes(urls, quorum=node.quorum, lag=node.most_lag, timeout=node.timeout, tell=tell, on_fault=fault)


def _journal(
    settings: Settings, chain_id: int, signer: Signer, stack: ExitStack, *, send: bool, keeps: bool
) -> tuple[Journal, Hold | None]:
    if not send or not (keeps or settings.journal.url):
        return Journal(), None
    if keeps and settings.journal.url is not None and settings.journal.url.is_in_memory:
        raise SettingsError(
            "journal.url: a journal in memory is gone with the process, and with it what is under way: name a file or "
            "a PostgreSQL, or leave it out for one in the state folder"
        )
    if settings.journal.url is None:
        make_folder(settings, chain_id)
    journal = Journal(journal_store(settings, chain_id).get_secret_value())
    stack.callback(journal.close)
    return journal, stack.enter_context(only_process(journal, chain_id, signer.address))


class Checked:
    """Reads states; of the first one it is looked whether the settings go with it, and `passed` called.

    Raises SettingsError.
    """

    def __init__(
        self, read: Callable[[], ChainState], parts: Parts, *, needs_bond: bool, passed: Callable[[], None]
    ) -> None:
        self._read = read
        self._passed = passed
        self._parts = parts
        self._needs_bond = needs_bond and parts.settings.duties.adl.enabled
        self._is_first = True

    def __call__(self) -> ChainState:
        """The newest state."""
        state = self._read()
        if self._is_first:
            self._check(state)
            self._is_first = False
            self._passed()
        return state

    def _check(self, state: ChainState) -> None:
        duties = self._parts.settings.duties
        for name, named in (("liquidate", duties.liquidate.markets), ("buy_inventory", duties.buy_inventory.markets)):
            for market in named:
                if market not in state.market_ids:
                    known = ", ".join(state.market_ids) or "none"
                    raise SettingsError(f"duties.{name}.markets: unknown market {market!r}: the exchange has {known}")
        address = self._parts.sender.address
        if self._needs_bond and not self._parts.nodes.call(self._parts.deployment.round_book, BOND, address)[0]:
            raise SettingsError(
                f"{address} has no bond, and every round needs one: `backstop bond post AMOUNT --send` posts it, "
                "duties.adl.enabled = false does without rounds"
            )


def make_cycle(
    parts: Parts,
    *,
    send: bool,
    read: Callable[[], ChainState] | None = None,
    observer: Reporting | None = None,
    bounded: bool = False,
    passed: Callable[[], None] = lambda: None,
) -> Cycle:
    """The duties that the settings name. `bounded`: no look at events takes so long that something urgent waits.

    `passed` is called once it is seen that the settings go with the chain.
    """
    settings, duties, owner = parts.settings, parts.settings.duties, parts.sender.address
    read = read or partial(read_chain, parts.nodes, parts.deployment)
    liquidate, buy = duties.liquidate, duties.buy_inventory
    is_anonymous = not (send or needs_key(settings) or settings.key.keystore or settings.key.signer)
    return Cycle(
        parts.nodes,
        parts.deployment,
        parts.sender,
        send=send,
        liquidator=Liquidator(
            owner, liquidate.sub_account, liquidate.up_to, liquidate.least_discount, liquidate.markets
        )
        if liquidate.enabled and liquidate.up_to
        else None,
        upkeep=upkeep_of(duties),
        buyer=Buyer(owner, buy.sub_account, buy.up_to, buy.least_discount, buy.markets)
        if buy.enabled and buy.up_to
        else None,
        unwinder=_unwinder(parts),
        anonymous=is_anonymous,
        priorities={name: duty.priority for name, duty in duties.all() if duty.enabled},
        read=Checked(read, parts, needs_bond=send and bounded, passed=passed),
        observer=observer,
        stagger=Stagger(settings.stagger.index * settings.stagger.blocks),
        most_blocks=_MOST_BLOCKS if bounded else None,
    )


def _unwinder(parts: Parts) -> Unwinder | None:
    duties, signer = parts.settings.duties, parts.signer
    unwind = duties.unwind
    if not unwind.enabled or unwind.orders is None:
        return None
    if not isinstance(signer, LocalSigner):
        raise SettingsError(
            "duties.unwind needs a keystore or a private key: an external signer signs transactions, and no orders"
        )
    indices = tuple(sorted({duties.liquidate.sub_account, duties.buy_inventory.sub_account}))
    way_out = WayOut(
        owner=signer.address,
        indices=indices,
        orders=Path(unwind.orders),
        keep=unwind.keep,
        at_once=unwind.most_at_once,
        slippage=unwind.most_slippage,
    )
    account = signer.account
    return Unwinder(parts.nodes, parts.deployment, way_out, lambda order, domain: sign_order(order, domain, account))


def make_loop(parts: Parts, turn: Callable[[Callable[[], bool]], None], telemetry: Telemetry, pulse: Pulse) -> Loop:
    """Turns at new blocks, which the telemetry hears of."""
    node = parts.settings.node

    def tell(text: str) -> None:
        telemetry.log.error(text)

    def lose(text: str) -> None:
        pulse.miss()
        tell_nodes(parts.nodes, telemetry)
        tell(text)

    heads = Heads(
        parts.nodes,
        poll=node.poll,
        websocket=node.ws_url.get_secret_value() if node.ws_url else None,
        halt_after=node.stale_after,
        tell=lose,
    )

    def heard(found: NewHead | Halted) -> None:
        if isinstance(found, Halted):
            pulse.stand_still(found.seconds)
            return
        pulse.see(found.head)
        if found.reorganised:
            telemetry.reorg(1)

    return Loop(heads, turn, poll=node.poll, tell=tell, heard=heard)


class Keeper:
    """A keeper that is left running: its loop, and what a turn of it does beside a cycle."""

    def __init__(
        self,
        parts: Parts,
        telemetry: Telemetry,
        *,
        send: bool,
        show: Callable[[Action], None],
        index: AccountIndex | None,
    ) -> None:
        settings = parts.settings
        self._telemetry = telemetry
        self._nodes = parts.nodes
        self._hold = parts.hold
        self._send = send
        self._pulse = pulse = Pulse(parts.nodes, parts.chain_id, telemetry, settings.node.stale_after)
        self._reporting = Reporting(telemetry, parts.chain_id, pulse.beat)
        self._vitals = Vitals(parts.nodes, parts.deployment, parts.journal, parts.sender.address, telemetry)

        def read() -> ChainState:
            return index.read(parts.nodes) if index else read_chain(parts.nodes, parts.deployment)

        cycle = make_cycle(parts, send=send, read=read, observer=self._reporting, bounded=True, passed=self._begin)
        self._showing = Showing(cycle, show=show, warn=telemetry.log.warning)
        self.loop = make_loop(parts, self._turn, telemetry, pulse)
        if not send:  # nothing is needed, and nothing was left open
            telemetry.recovered()
            telemetry.health.is_funded(True)

    def watch(self) -> None:
        """Runs until its loop is stopped."""
        self.loop.run()

    def _begin(self) -> None:
        """Tells that it watches, and whether it sends: what could keep it from that was looked at."""
        self._telemetry.log.info("watching", node=self._nodes.url, dry_run=not self._send)

    def beat(self) -> None:
        """Looks whether the chain stands still, for whoever takes turns only when somebody else tells of a block."""
        self._pulse.beat()

    def _turn(self, is_stopping: Callable[[], bool]) -> None:
        self._telemetry.turned()
        if self._hold is not None:
            self._hold.check()
        reporting = self._reporting
        try:
            with self._telemetry.cycle(self._pulse.block):
                self._showing(is_stopping)
        except BudgetError:
            reporting.is_exhausted = True
            raise
        finally:
            tell_nodes(self._nodes, self._telemetry)
            if self._send and reporting.block is not None:
                self._vitals.look(reporting.block, exhausted=reporting.is_exhausted)


@contextmanager
def running(
    settings: Settings, *, send: bool, printer: Callable[[Sender], Callable[[Action], None]]
) -> Iterator[Keeper]:
    """A keeper that is about to be left running; `printer` makes what shows its actions."""
    telemetry = Telemetry.open(settings)
    with ExitStack() as stack:
        stack.callback(telemetry.close)
        parts = stack.enter_context(
            opened(settings, send=send, keeps=True, needs=needs_key(settings), telemetry=telemetry)
        )
        show = printer(parts.sender)
        index = _index(parts, telemetry, send=send)
        if index is not None:
            stack.callback(index.close)
        yield Keeper(parts, telemetry, send=send, show=show, index=index)


def _index(parts: Parts, telemetry: Telemetry, *, send: bool) -> AccountIndex | None:
    """Where the settings name one; by itself a keeper that sends has one in the state folder."""
    settings = parts.settings
    store = index_store(settings, parts.chain_id)
    if store is None or not (send or settings.index.url):
        return None
    if settings.index.url is None:
        make_folder(settings, parts.chain_id)
    return AccountIndex(store.url, parts.deployment, tell=telemetry.log.warning)
