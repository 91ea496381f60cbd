"""Bytecode sizes and the gas of the bench's calls, kept in git: `make snapshots` writes them, the audit compares."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .results import Part, Row

FOLDER = Path("snapshots")
SIZE_LIMIT = 24_576
GAS_SLACK = 0.002  # signatures and times differ from run to run, and zero bytes among them cost less
_BUILT = Path(".build") / "__local__.json"
_GAS = Path("build") / "gas.json"


def sizes() -> dict[str, int]:
    """Bytes of runtime code of every contract that is deployed outside of tests."""
    document = json.loads(_BUILT.read_text(encoding="utf-8"))
    found = {}
    for name, contract in document["contractTypes"].items():
        code = contract.get("runtimeBytecode", {}).get("bytecode") or "0x"
        source = str(contract.get("sourceId", ""))
        # An internal library has no code but a stub.
        if source.startswith("contracts/") and not source.startswith(("contracts/mocks/", "contracts/libraries/")):
            size = len(code) // 2 - 1
            if size > 0:
                found[name] = size
    return dict(sorted(found.items()))


def gas() -> dict[str, int]:
    """Of every call that the bench measures, by a name that says where in its report it stands."""
    _GAS.unlink(missing_ok=True)
    subprocess.run(["ape", "run", "bench", "--gas-alone"], check=True, capture_output=True, text=True)
    return dict(_flat("", json.loads(_GAS.read_text(encoding="utf-8"))))


def _flat(name: str, node: Any) -> list[tuple[str, int]]:
    if isinstance(node, dict):
        return [one for key, value in node.items() for one in _flat(f"{name}.{key}" if name else key, value)]
    if isinstance(node, list):
        return [one for place, value in enumerate(node) for one in _flat(f"{name}.{place}", value)]
    return [(name, node)] if isinstance(node, int) and not isinstance(node, bool) else []


def _is_alike(kept: int | None, measured: int | None, slack: float) -> bool:
    return kept is not None and measured is not None and abs(kept - measured) <= slack * kept


def run() -> Part:
    """A row for each of the two."""
    part = Part("Snapshots")
    for what, measured in (("sizes", sizes()), ("gas", gas())):
        kept = json.loads((FOLDER / f"{what}.json").read_text(encoding="utf-8"))
        slack = GAS_SLACK if what == "gas" else 0
        changed = [name for name in kept | measured if not _is_alike(kept.get(name), measured.get(name), slack)]
        for name in changed:
            was, now = kept.get(name, "none"), measured.get(name, "none")
            part.faults.append(f"{what} of {name}: {was} in git, {now} measured; see the change and `make snapshots`")
        found = f"{len(kept)} figures, {len(changed)} differ"
        part.rows.append(
            Row(
                what,
                found=found,
                asked="as in git" + (f", within {1000 * slack:g} per mille" if slack else ""),
                holds=bool(measured) and not changed,
            )
        )
        part.figures[what] = measured
    largest = max(part.figures["sizes"], key=part.figures["sizes"].__getitem__)
    size = part.figures["sizes"][largest]
    part.rows.append(
        Row("largest contract", found=f"{largest}, {size:,}", asked=f"below {SIZE_LIMIT:,}", holds=size < SIZE_LIMIT)
    )
    return part


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    for what, measured in (("sizes", sizes()), ("gas", gas())):
        (FOLDER / f"{what}.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
