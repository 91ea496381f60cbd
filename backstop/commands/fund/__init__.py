"""`backstop fund`: what concerns the insurance pools. Each subcommand is a module of this folder."""

from __future__ import annotations

import click

from backstop.commands.fund.contribute import contribute_command
from backstop.commands.fund.history import history_command
from backstop.commands.fund.repay import repay_command
from backstop.commands.fund.stake import stake_command
from backstop.commands.fund.stakes import stakes_command
from backstop.commands.fund.status import status_command
from backstop.commands.fund.stress import stress_command
from backstop.commands.fund.unstake import unstake_command


@click.group("fund")
def fund_group() -> None:
    """The insurance pools."""


fund_group.add_command(status_command)
fund_group.add_command(history_command)
fund_group.add_command(contribute_command)
fund_group.add_command(stake_command)
fund_group.add_command(unstake_command)
fund_group.add_command(stakes_command)
fund_group.add_command(repay_command)
fund_group.add_command(stress_command)
