from scripts.stage.cases import *  # noqa: F403
