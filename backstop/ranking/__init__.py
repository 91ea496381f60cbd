"""The ranking engine: the exact queue of a side with up to a million positions, from columns held in memory.

It gives the order of `backstop.adl.scoring.score_sides`, which stays the definition; docs/performance.md says how.
"""

from __future__ import annotations

from backstop.ranking.engine import RankingEngine
from backstop.ranking.queue import Queue

__all__ = ["Queue", "RankingEngine"]
