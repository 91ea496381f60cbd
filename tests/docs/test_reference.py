"""docs/events.md, errors.md and storage.md are what `make reference` writes, and leave nothing out."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.reference import PAGES, Compiled
from scripts.reference.compiled import DEPLOYED, Contract
from scripts.reference.storage import layout_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_page_is_current(compiled: Compiled, file: Path) -> None:
    assert PAGES[file](compiled) == file.read_text(encoding="utf-8"), "run `make reference` and commit what it writes"


@pytest.mark.parametrize("contract", DEPLOYED, ids=lambda contract: contract.name)
def test_every_event_and_error_is_there(compiled: Compiled, contract: Contract) -> None:
    for kind, page in (("event", "events.md"), ("error", "errors.md")):
        _, _, section = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {contract.name}\n")
        section, _, _ = section.partition("\n## ")
        for source in (contract.file, *contract.modules):
            named = {entry["name"] for entry in compiled.output(source)["abi"] if entry["type"] == kind}
            assert [
                name for name in sorted(named) if f"### {name}\n" not in section and f"`{name}(" not in section
            ] == []


def test_every_contract_of_the_folder_is_known(compiled: Compiled) -> None:
    """One that is new is to be in the list, unless nobody deploys it by itself."""
    known = {contract.file for contract in DEPLOYED} | {module for one in DEPLOYED for module in one.modules}
    bare = {
        file
        for file, tree in compiled.trees.items()
        for node in tree["nodes"]
        if node["nodeType"] == "ContractDefinition" and node["contractKind"] == "contract" and not node["abstract"]
    }
    assert {file for file in bare if file.startswith("contracts/")} == known


@pytest.mark.parametrize(
    ("contract", "module"),
    [pytest.param(one, module, id=Path(module).stem) for one in DEPLOYED for module in one.modules],
)
def test_a_module_has_the_layout_of_its_contract(compiled: Compiled, contract: Contract, module: str) -> None:
    def places(file: str) -> dict[tuple[str, int], tuple[str, str]]:
        layout = layout_of(compiled, file)
        return {
            (entry["slot"], entry["offset"]): (entry["label"], layout["types"][entry["type"]]["label"])
            for entry in layout["storage"]
        }

    kept, used = places(contract.file), places(module)
    assert used
    assert used.items() <= kept.items()
    assert max(int(slot) for slot, _ in used) + 1 == len({slot for slot, _ in used}), "no slot is passed over"
