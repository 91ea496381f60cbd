"""The machine that the audit runs on."""

from __future__ import annotations

import os

# Those that this process may use, which may be fewer than there are.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
