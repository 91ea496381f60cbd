"""Plans: what they mean, what is refused with which line, and the hard bounds, which are the contracts' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backstop.deployment import limits
from backstop.deployment.plan import MIN_PUBLIC_DELAY, Plan, load_plan, plan_of
from backstop.errors import PlanError
from backstop.math.wad import WAD
from scripts.stage.venue import Venue
from tests.deploy.world import EXAMPLE

BOUNDS = {
    "market_module": (
        "MIN_INITIAL_MARGIN_FRACTION",
        "MAX_INITIAL_MARGIN_FRACTION",
        "MIN_MAINTENANCE_MARGIN_FRACTION",
        "MAX_TRADING_FEE",
        "MAX_LIQUIDATION_FRACTION",
        "MIN_PRICE_BAND",
        "MAX_FUNDING_CAP",
        "MIN_BACKSTOP_RATIO",
        "MAX_BACKSTOP_RATIO",
        "MIN_WARNING_RATE",
        "MAX_WARNING_RATE",
    ),
    "pool_module": (
        "MIN_DRAWDOWN_BOUND",
        "MAX_DRAWDOWN_BOUND",
        "MAX_AUCTION_PREMIUM",
        "MIN_AUCTION_DURATION",
        "MAX_AUCTION_DURATION",
        "MIN_COOLDOWN",
        "MAX_COOLDOWN",
        "MAX_MARKETS",
        "MAX_MEMBERS",
    ),
    "price_feed": ("MAX_HEARTBEAT", "MAX_GRACE"),
    "round_book": (
        "MIN_WINDOW",
        "MAX_WINDOW",
        "MIN_EXEMPT_AGE",
        "MAX_EXEMPT_AGE",
        "MIN_TOLERANCE",
        "MAX_TOLERANCE",
        "MAX_RETURN_FLOOR",
        "MAX_BOND_CAP",
        "MAX_FLAT_REWARD",
        "MAX_REWARD_RATE",
        "MAX_REWARD_SHARE",
    ),
}


@pytest.mark.parametrize(("contract", "name"), [(key, name) for key, names in BOUNDS.items() for name in names])
def test_bounds_are_those_of_the_contracts(venue: Venue, contract: str, name: str) -> None:
    assert getattr(limits, name) == getattr(getattr(venue.system, contract), name)()


def test_every_bound_is_held_against_the_contracts() -> None:
    here = {name for name in vars(limits) if name.startswith(("MIN_", "MAX_"))}
    assert here == {name for names in BOUNDS.values() for name in names}


def test_defaults_are_those_of_the_contracts(venue: Venue) -> None:
    plan, book = Plan(), venue.system.round_book
    assert tuple(book.roundParameters()) == plan.rounds.values()
    assert tuple(book.rewardParameters()) == plan.rewards.values()
    assert (venue.system.exchange.backstopRatio(), venue.system.exchange.warningRate()) == (
        plan.exchange.backstop_ratio,
        plan.exchange.warning_rate,
    )


def test_example_is_a_plan_for_a_public_network() -> None:
    plan = load_plan(EXAMPLE)
    assert list(plan.public_faults()) == []
    assert plan.timelock is not None
    assert plan.timelock.delay == max(MIN_PUBLIC_DELAY, plan.pools[0].cooldown)
    assert plan.markets[0].parameters().maintenance_margin_fraction == WAD // 20


def test_document_is_the_plan_and_what_is_left_out_is_its_default() -> None:
    plan = load_plan(EXAMPLE)
    assert plan_of(plan.document(), "record") == plan
    text = EXAMPLE.read_text()
    spare = text[: text.index("[rewards]")] + text[text.index("[[pools]]") :]
    assert plan_of(_parsed(spare), "spare").hash() == plan.hash()
    other = text.replace('flat = "5"', 'flat = "6"')
    assert plan_of(_parsed(other), "other").hash() != plan.hash()


def _parsed(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "main"', 'name = ""', "pools[0].name: string should have at least 1 character"),
        ('name = "main"', 'name = "main "', "name 'main ': 1 to 32 printable bytes are needed, without a space"),
        ('executors = "anyone"', 'executors = "someone"', "timelock.executors: input should be 'anyone'"),
        ('executors = "anyone"', "executors = 3", "timelock.executors: input should be 'anyone'"),
        ('executors = "anyone"', "executors = []", "timelock.executors: list should have at least 1 item"),
        ('executors = "anyone"', 'executors = ["x"]', "timelock.executors[0]: "),
        (
            'max_notional = "',
            'max_notional = "0" # "',
            "max_notional is 0, with which nobody could trade",
        ),
        ('min_size = "', 'min_size = "100000000" # "', "nobody could trade"),
        ('pool = "main"', 'pool = "other"', "market 'ETH-USD' is in pool 'other', which pools does not have"),
        ('kind = "shared"', 'kind = "common"', "pools[0].kind: input should be 'isolated' or 'shared'"),
        ("heartbeat = 4500", "heartbeat = 172801", "markets[0]: heartbeat is 172801 s, 1 to 172800 s are allowed"),
        ('maker_fee = "0.0002"', 'maker_fee = "0.02"', "markets[0]: maker_fee is 0.02, at most 0.01 is allowed"),
        ('maker_fee = "0.0002"', "", "markets[0].maker_fee: field required"),
        ('maker_fee = "0.0002"', 'makerfee = "0.0002"', "markets[0].maker_fee: field required"),
        ('trigger = "0.3"', 'trigger = "0.2"', "markets[0].drawdown: 0.05 <= stop <= target <= trigger <= 0.9"),
        ("window = 3600", "window = 10", "rounds: window is 10 s, 600 to 604800 s are allowed"),
        ("cooldown = 259200", "cooldown = true", "pools[0].cooldown: input should be a valid integer"),
        ("delay = 259200", "delay = 5184001", "timelock: delay is 5184001 s, at most 5184000 s are allowed"),
        (
            '2001"]\nexecutors',
            '2001", "0x0000000000000000000000000000000000002001"]\nexecutors',
            "names an address twice",
        ),
        ("delay = 259200", "delay = 604800", "beside a guardian less than 604800 s are needed"),
        (
            "cooldown = 259200",
            "cooldown = 259201",
            "whoever leaves pool 'main' waits 259201 s, so that stakers could not leave before a change: make it at",
        ),
        (
            "cooldown = 259200",
            "cooldown = 604800",
            "make the cooldown less than 604800 s, which a delay beside a guardian",
        ),
        ("chain_id", "chian_id", "chian_id: extra inputs are not permitted"),
        ('funding_cap = "0.001"', 'funding_cap = "0.03"', "markets[0]: funding_cap is 0.03, at most 0.01 is allowed"),
        ("000000000000000000000000000000001001", "00000000000000000000000000000000100", "collateral: it is no address"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = EXAMPLE.read_text()
    assert old in text
    file = tmp_path / "plan.toml"
    text = text.replace("# guardian =", "guardian =")
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(PlanError) as refused:
        load_plan(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_delay_may_be_shorter_than_exits_where_the_plan_says_so() -> None:
    text = EXAMPLE.read_text().replace("delay = 259200", "delay = 172800\nshorter_than_exits = true")
    plan = plan_of(_parsed(text), "plan")
    assert list(plan.public_faults()) == []
    assert plan.timelock is not None
    assert plan.timelock.delay < plan.pools[0].cooldown


def test_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot read"):
        load_plan(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("chain_id =")
    with pytest.raises(PlanError, match="is not TOML"):
        load_plan(tmp_path / "broken.toml")
