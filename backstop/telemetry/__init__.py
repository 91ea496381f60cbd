"""To see the keeper: one place where duties are timed and counted, logged, and told to whoever has to know."""

from backstop.telemetry.recorder import DutyRecord, Telemetry

__all__ = ["DutyRecord", "Telemetry"]
