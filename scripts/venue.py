from scripts.stage.venue import *  # noqa: F403
from scripts.stage.venue import rpc_url, tokens, wad  # noqa: F401
