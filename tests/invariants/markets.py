"""Draws what is done to a market: its parameters, its funding and its fees."""

from __future__ import annotations

from backstop.math.wad import WAD
from scripts.stage.parameters import NO_BAND, UNLIMITED_NOTIONAL, UNLIMITED_OPEN_INTEREST, MarketParameters

from . import actions
from .draws import Draws
from .machine import Machine
from .world import MARKETS, TOKEN_SCALE, TREASURY

HOUR = 3600


class Markets(Draws):
    """By the owner, the treasury and anyone; within their bounds and beyond."""

    def set_parameters(self, machine: Machine) -> actions.Action:
        """One or two of them differ; now and then beyond their bounds, or by somebody who does not own the exchange."""
        market = self._market()
        parameters = machine.state.markets[market - 1].parameters
        for _ in range(self.rng.randrange(1, 3)):
            parameters = parameters._replace(**self._changes(parameters))
        if self._chance(0.1):
            parameters = parameters._replace(**self._beyond(parameters))
        by = self._trader() if self._chance(0.05) else actions.OWNER
        if self._chance(0.03):
            market = self.rng.choice((0, 9))
        return actions.SetParameters(by, self._soon(), market, parameters)

    def _changes(self, one: MarketParameters) -> dict[str, int]:
        rng = self.rng
        maintenance = rng.choice((one.maintenance_margin_fraction, WAD // 100, WAD // 20, WAD // 8, WAD // 1000))
        penalty = rng.choice((0, maintenance // 2, maintenance))
        most = WAD // 20
        return rng.choice(
            (
                {
                    "initial_margin_fraction": maintenance * rng.randrange(2, 4) + WAD // 200,
                    "initial_margin_step": min(one.initial_margin_step, maintenance),
                    "maintenance_margin_fraction": maintenance,
                    "liquidation_discount": min(penalty // 3, most),
                    "liquidation_fee": min(penalty - penalty // 3, most),
                    "funding_cap": min(one.funding_cap, maintenance // 2),
                },
                {"maker_fee": rng.choice((0, WAD // 100, 1)), "taker_fee": rng.randrange(WAD // 100 + 1)},
                {
                    "price_band": rng.choice((NO_BAND, NO_BAND - 1, WAD // 1000, WAD // 10)),
                    "stress_band": rng.choice((0, WAD // 1000)),
                },
                {"initial_margin_step": rng.choice((0, one.initial_margin_fraction, one.initial_margin_fraction // 3))},
                {"funding_cap": min(rng.choice((0, 1, WAD // 100, WAD // 1000)), one.maintenance_margin_fraction // 2)},
                {"max_notional": rng.choice((UNLIMITED_NOTIONAL, rng.randrange(100, 500_000) * WAD))},
                {"min_size": rng.choice((0, 1, rng.randrange(1, 10 * WAD)))},
                {"max_open_interest": rng.choice((UNLIMITED_OPEN_INTEREST, rng.randrange(1, 10**5) * WAD))},
                {"pool_fee_share": WAD // 3, "treasury_fee_share": rng.choice((0, WAD - WAD // 3, WAD // 7))},
            )
        )

    def _beyond(self, one: MarketParameters) -> dict[str, int]:
        return self.rng.choice(
            (
                {"initial_margin_fraction": one.maintenance_margin_fraction},
                {"initial_margin_fraction": WAD + 1},
                {"maintenance_margin_fraction": WAD // 1000 - 1},
                {"liquidation_fee": one.maintenance_margin_fraction - one.liquidation_discount + 1},
                self._penalty_beyond(one),
                {"maker_fee": WAD // 100 + 1},
                {"taker_fee": WAD // 100 + 1},
                {"pool_fee_share": WAD - one.treasury_fee_share + 1},
                {"price_band": WAD // 1000 - 1, "stress_band": 0},
                {"stress_band": WAD // 1000 - 1},
                {"stress_band": WAD, "price_band": WAD - 1},
                {"initial_margin_step": one.initial_margin_fraction + 1},
                {"funding_cap": min(WAD // 100, one.maintenance_margin_fraction // 2) + 1},
                {"max_open_interest": UNLIMITED_OPEN_INTEREST + 1},
            )
        )

    def _penalty_beyond(self, one: MarketParameters) -> dict[str, int]:
        """Discount and fee of a liquidation within the maintenance margin, one of them beyond its own bound."""
        largest = {"liquidation_discount": WAD // 20, "liquidation_fee": WAD // 20}
        name = self.rng.choice(list(largest))
        fractions = {"initial_margin_fraction": WAD // 2, "maintenance_margin_fraction": WAD // 8}
        return fractions | largest | {name: WAD // 20 + 1}

    def accrue(self, machine: Machine) -> actions.Action:
        """Once or several times, often just after an hour has begun or just before."""
        after = self._soon()
        if self._chance(0.6):
            after = max(1, HOUR - machine.model.now % HOUR + self.rng.choice((-2, -1, 0, 0, 1, 30)))
        market = self._market() if not self._chance(0.02) else 9
        return actions.Accrue(self._trader(), after, market, self.rng.choice((1, 2, 2, 3)))

    def sweep(self, machine: Machine) -> actions.Action:
        """Of a market with fees, mostly."""
        paid = [market for market, view in enumerate(machine.state.markets, start=1) if view.funding.fees]
        market = self.rng.choice(paid) if paid and self._chance(0.9) else self.rng.randrange(len(MARKETS) + 2)
        return actions.Sweep(self._trader(), self._soon(), market)

    def collect(self, machine: Machine) -> actions.Action:
        """All that there is, a part, or a unit more; now and then by somebody else."""
        there = machine.state.treasury // TOKEN_SCALE
        amount = self.rng.choice((there, there, there + 1, there // 2, 0))
        return actions.Collect(TREASURY if not self._chance(0.1) else self._trader(), self._soon(), amount)
