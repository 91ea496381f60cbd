"""What a keeper can be told: one model, filled from a TOML file, the environment and the command line."""

from backstop.settings.loading import load_settings
from backstop.settings.model import Settings

__all__ = ["Settings", "load_settings"]
