"""`backstop tx`: what a keeper's journal says of its transactions, and what can be done about those that are stuck."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from backstop.commands.by_hand import unbudgeted
from backstop.commands.options import FILE, Whole, key_options, send_options
from backstop.commands.sending_options import IN_STATE_FOLDER, journal_option, signer_options
from backstop.commands.sent import remember
from backstop.commands.settings_options import any_settings_of, chain_overrides, config_option, node_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backstop.chain.endpoint import Endpoint
    from backstop.settings import Settings
    from backstop.transactions.fees import Policy
    from backstop.transactions.journal import Intent, Journal
    from backstop.transactions.sender import Sender

_Command = TypeVar("_Command", bound="Callable[..., Any]")
_MOST_GWEI = 10**12


def _node_options(command: _Command) -> _Command:
    """Adds `--rpc`, `--deployment` and `--max-fee`."""
    command = click.option(
        "--max-fee",
        type=Whole(1, _MOST_GWEI),
        metavar="GWEI",
        help="The most that a transaction may offer for a unit of gas; else fees.max_fee of the settings.",
    )(command)
    return chain_overrides(command)


@click.group("tx")
def tx_group() -> None:
    """The transactions that a keeper has sent, from its journal."""


@tx_group.command("list")
@config_option
@journal_option(IN_STATE_FOLDER)
@click.option("--deployment", type=FILE, metavar="FILE", help="Whose chain's state folder; else that of the settings.")
@click.option("--open", "only_open", is_flag=True, help="Only those that are not mined and not given up.")
@click.option("--last", type=Whole(1), default=50, metavar="N", help="At most so many, the newest. Default 50.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(only_open: bool, last: int, as_json: bool, **_: Any) -> None:
    """Each intent with what became of it, the oldest first. The journal alone is read, no node is asked."""
    from backstop.transactions.render import intent_document, print_journal

    book = _book()
    rows = [(intent, book.attempts(intent.id)) for intent in book.all(only_open=only_open, last=last)]
    if as_json:
        click.echo(json.dumps([intent_document(*row) for row in rows], indent=2))
    elif rows:
        print_journal(rows)
    else:
        click.echo("nothing is open" if only_open else "the journal is empty")


@tx_group.command("cancel")
@click.argument("number", metavar="ID", type=Whole(1))
@config_option
@journal_option(IN_STATE_FOLDER)
@_node_options
@key_options
@signer_options
@send_options
def cancel_command(number: int, max_fee: int | None, send: bool, as_json: bool, **_: Any) -> None:
    """Have an empty transaction to the key itself take the nonce of ID. A dry run unless --send is given.

    Its fees are an eighth above those of the newest that was signed. The one to be cancelled may still be mined
    instead: the result says which of them was. With --send, stop the keeper first.
    """
    from backstop.errors import JournalError
    from backstop.transactions.fees import gwei, offer
    from backstop.transactions.journal import State
    from backstop.transactions.lookup import read_head

    book = _book()
    intent = book.intent(number)
    endpoint = _endpoint(intent.chain_id)
    if not (intent.is_open or intent.state is State.PLANNED):
        raise JournalError(f"transaction {number} of the journal is not open: it is {intent.state}")
    if send:
        with _sender(endpoint, intent.chain_id, book, max_fee) as sender:
            sender.cancel(number)
        _show_done(book, [intent], as_json=as_json)
        return
    attempts = book.attempts(number)
    fees = None
    if attempts:
        suggested = endpoint.quantity("eth_maxPriorityFeePerGas")
        fees = offer(read_head(endpoint).base_fee, suggested, _policy(max_fee), attempts[-1].fees)
    if as_json:
        fee = {"maxFeePerGas": str(fees.max_fee), "maxPriorityFeePerGas": str(fees.tip)} if fees else {}
        click.echo(json.dumps({"id": number, "nonce": intent.nonce, "sent": False} | fee, indent=2))
        return
    what = f"replace nonce {intent.nonce} by an empty transaction" if fees else "close it: nothing was signed"
    offering = f", offering {gwei(fees.max_fee)} gwei, of it a tip of {gwei(fees.tip)}" if fees else ""
    click.echo(f"{number} {intent.name or intent.to}: would {what}{offering}")
    click.echo("Nothing is sent without --send.")


@tx_group.command("resume")
@config_option
@journal_option(IN_STATE_FOLDER)
@_node_options
@key_options
@signer_options
@send_options
def resume_command(max_fee: int | None, send: bool, as_json: bool, **_: Any) -> None:
    """See everything that is open to its end, as a keeper does when it starts. A dry run unless --send is given.

    What no node knows is sent again as it was signed, what waits too long is replaced with higher fees, and what
    cannot be mined any more is closed. Stop the keeper first.
    """
    from backstop.transactions.prospects import look_ahead

    book = _book()
    endpoint = _endpoint()
    chain_id = endpoint.quantity("eth_chainId")
    waiting = [intent for intent in book.all(only_open=True) if intent.chain_id == chain_id]
    if send:
        with _sender(endpoint, chain_id, book, max_fee) as sender:
            sender.resume()
        _show_done(book, [intent for intent in waiting if intent.sender == sender.address], as_json=as_json)
        return
    prospects = [look_ahead(endpoint, book, intent) for intent in waiting]
    if as_json:
        documents = [{"id": one.intent.id, "found": one.found, "would": one.would} for one in prospects]
        click.echo(json.dumps(documents, indent=2))
        return
    for one in prospects:
        click.echo(f"{one.intent.id} {one.intent.name or one.intent.to}: {one.found}; would {one.would}")
    click.echo("Nothing is sent without --send." if prospects else "nothing is open")


def _settings() -> Settings:
    return any_settings_of(click.get_current_context())


def _book() -> Journal:
    """The journal that the settings name, or that of the state folder. Raises UsageError where neither is known."""
    from backstop.chain.deployment import Deployment
    from backstop.settings.places import journal_store
    from backstop.transactions.journal import Journal

    settings = _settings()
    if settings.journal.url is None and settings.deployment is None:
        raise click.UsageError(
            "no journal is named: give --journal FILE, or the --config or --deployment of the keeper"
        )
    chain_id = 0 if settings.deployment is None else Deployment.load(settings.deployment).chain_id
    return Journal(journal_store(settings, chain_id).get_secret_value(), create=False)


def _endpoint(chain_id: int | None = None) -> Endpoint:
    """The node of the settings, or the nodes; of several those that have the newest block."""
    from backstop.chain.nodes import Nodes
    from backstop.errors import ChainMismatchError, SettingsError

    try:
        endpoint = node_of(_settings())
    except SettingsError as fault:
        raise click.UsageError(str(fault)) from None
    if isinstance(endpoint, Nodes):
        endpoint.head()  # from now on those that are behind are not read from
    if chain_id is not None and (found := endpoint.quantity("eth_chainId")) != chain_id:
        raise ChainMismatchError(f"{endpoint.url} serves chain {found}, the transaction is of chain {chain_id}")
    return endpoint


def _policy(max_fee: int | None) -> Policy:
    from backstop.transactions.fees import GWEI

    return unbudgeted(_settings().fees, None if max_fee is None else max_fee * GWEI)


@contextmanager
def _sender(endpoint: Endpoint, chain_id: int, journal: Journal, max_fee: int | None) -> Iterator[Sender]:
    """Of the key, while no keeper runs with it and the journal."""
    from backstop.settings.signing import open_key
    from backstop.transactions.lock import only_process
    from backstop.transactions.sender import Sender

    signs = open_key(_settings().key)
    with only_process(journal, chain_id, signs.address):
        yield remember(Sender(endpoint, signs, chain_id, journal=journal, policy=_policy(max_fee)))


def _show_done(journal: Journal, intents: list[Intent], *, as_json: bool) -> None:
    """What has become of them."""
    from backstop.transactions.render import intent_document, print_journal

    rows = [(journal.intent(intent.id), journal.attempts(intent.id)) for intent in intents]
    if as_json:
        click.echo(json.dumps([intent_document(*row) for row in rows], indent=2))
    elif rows:
        print_journal(rows)
    else:
        click.echo("nothing was open")
