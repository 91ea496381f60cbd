"""`backstop run` as a silverback bot: `silverback run keeper --network …`, in the checkout.

What it does, and all of its settings, are those of `backstop run`. Silverback says when there is a new block. It keeps
to its in-memory broker: a keeper is one process, with one key and one journal.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import click
from ape import chain
from ape.api import BlockAPI
from silverback import SilverbackBot, StateSnapshot

from backstop.chain.deployment import Deployment
from backstop.commands.run import printer
from backstop.errors import BackstopError, ChainMismatchError, SettingsError
from backstop.keeper.daemon import Keeper, running
from backstop.settings import Settings, load_settings

SEND = "BACKSTOP_BOT_SEND"  # what --send is to `backstop run`


def is_sending(told: str) -> bool:
    """Whether it is to sign and send. Raises SettingsError for a word that says neither yes nor no."""
    word = told.strip().lower()
    if word not in ("", "no", "yes"):
        raise SettingsError(f"{SEND} is {word!r}: yes signs and sends, no or nothing is a dry run")
    return word == "yes"


def settings_for(chain_id: int) -> Settings:
    """The settings. Raises BackstopError where they are wrong, or for a deployment on another chain."""
    settings = load_settings()
    _ = settings.node_urls
    place = Deployment.load(settings.deployment_file)
    if place.chain_id != chain_id:
        raise ChainMismatchError(f"silverback is on chain {chain_id}, the deployment is on chain {place.chain_id}")
    return settings


class KeptKeeper:
    """A keeper on a thread of its own: nothing of it overlaps, and silverback's loop goes on meanwhile."""

    def __init__(self, settings: Settings, *, send: bool) -> None:
        self._settings = settings
        self._send = send
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keeper")
        self._open = ExitStack()
        self._keeper: Keeper | None = None

    async def start(self) -> None:
        """Opens it, and takes a turn at the present block."""
        await self._run(self._begin)

    async def turn(self, block: int) -> None:
        """A turn at a new block; nothing where one has already read it."""
        await self._run(lambda: self._keeper and self._keeper.loop.take_turn(block))

    async def beat(self) -> None:
        """Looks whether the chain stands still."""
        await self._run(lambda: self._keeper and self._keeper.beat())

    async def stop(self) -> None:
        """Ends it after the transaction under way."""
        if self._keeper is not None:
            self._keeper.loop.stop()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    def _begin(self) -> None:
        opening = running(self._settings, send=self._send, printer=lambda sender: printer(sender, as_json=False))
        self._keeper = self._open.enter_context(opening)
        self._keeper.loop.take_turn()

    def _close(self) -> None:
        self._keeper = None
        self._open.close()

    async def _run(self, work: Callable[[], object]) -> None:
        """On its thread. A turn tells of its own failures and is taken again: what is raised here ends the bot."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, work)
        except (BackstopError, OSError) as fault:
            await self.stop()
            loop.call_soon(_end, fault)  # raised here, silverback would print a traceback, and end with another status


def _end(fault: BackstopError | OSError) -> None:
    click.echo(f"error: {fault}", err=True)
    sys.exit(fault.exit_code if isinstance(fault, BackstopError) else 1)


bot = SilverbackBot()
try:
    keeper = KeptKeeper(settings_for(bot.provider.chain_id), send=is_sending(os.environ.get(SEND, "")))
except BackstopError as wrong:
    _end(wrong)


@bot.on_startup()
async def open_keeper(_state: StateSnapshot) -> None:
    """Before silverback listens."""
    await keeper.start()


@bot.on_(chain.blocks)
async def keep(block: BlockAPI) -> None:
    """Everything that is due."""
    await keeper.turn(block.number)


@bot.cron("* * * * *")
async def beat(_now: object) -> None:
    """A chain that stands still has no block that would tell."""
    await keeper.beat()


@bot.on_shutdown()
async def close_keeper() -> None:
    """After SIGINT or SIGTERM."""
    await keeper.stop()
