"""docs/events.md: every event of every contract."""

from __future__ import annotations

from .compiled import DEPLOYED, Compiled, Contract, Node, is_own
from .natspec import comment_of
from .types import carried_types, type_of
from .words import WORDS, words_of


def declarations(compiled: Compiled, contract: Contract, kind: str, selector: str) -> list[tuple[str, Node]]:
    """The events or errors in the interface of a contract and its modules, as they are declared, each with its file.

    `kind` is as in an ABI; `selector` names the key by which the syntax tree tells its declarations apart.
    """
    sources = [contract.file, *contract.modules]
    wanted = {
        (entry["name"], tuple(argument["name"] for argument in entry["inputs"]))
        for source in sources
        for entry in compiled.output(source)["abi"]
        if entry["type"] == kind
    }
    bases = {
        number
        for source in sources
        for node in compiled.trees[source]["nodes"]
        if node["nodeType"] == "ContractDefinition"
        for number in node.get("linearizedBaseContracts", ())
    }
    found: dict[str, tuple[str, Node]] = {}
    for file, owner in compiled.nodes("ContractDefinition", "SourceUnit"):
        for node in owner["nodes"]:
            if node["nodeType"] != f"{kind.capitalize()}Definition":
                continue
            if _shape(node) not in wanted:
                continue
            # Two interfaces may declare the same: the contract's own bases come first.
            if node[selector] not in found or owner.get("id") in bases:
                found[node[selector]] = (file, node)
    missing = wanted - {_shape(node) for _, node in found.values()}
    if missing:
        raise LookupError(f"{contract.name}: no declaration of {sorted(missing)}")
    return sorted(found.values(), key=lambda one: one[1]["name"])


def _shape(node: Node) -> tuple[str, tuple[str, ...]]:
    return node["name"], tuple(parameter["name"] for parameter in node["parameters"]["parameters"])


def events_page(compiled: Compiled) -> str:
    """The text of the page."""
    lines = [WORDS["heads"]["events"]]
    own: list[Node] = []
    for contract in DEPLOYED:
        found = declarations(compiled, contract, "event", "eventSelector")
        if not found:
            continue
        lines += ["", f"## {contract.name}"]
        inherited: list[Node] = []
        for file, node in found:
            if is_own(file):
                own.append(node)
                lines += _section(node)
            else:
                inherited.append(node)
        if inherited:
            lines += ["", "Of OpenZeppelin's contracts:"]
            lines += ["", "| event | topic | when |", "| --- | --- | --- |"]
            lines += [
                f"| `{_signature(node)}` | `0x{node['eventSelector']}` | {words_of(node)} |" for node in inherited
            ]
    lines += ["", WORDS["heads"]["account"], *carried_types(compiled, own)]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _section(node: Node) -> list[str]:
    comment = comment_of(node)
    lines = ["", f"### {node['name']}", "", comment.notice, "", f"Topic `0x{node['eventSelector']}`", ""]
    for parameter in node["parameters"]["parameters"]:
        indexed = ", indexed" if parameter["indexed"] else ""
        lines.append(f"- `{parameter['name']}` (`{type_of(parameter)}`{indexed}): {comment.params[parameter['name']]}")
    return lines


def _signature(node: Node) -> str:
    arguments = (
        f"{type_of(p)} indexed {p['name']}" if p.get("indexed") else f"{type_of(p)} {p['name']}"
        for p in node["parameters"]["parameters"]
    )
    return f"{node['name']}({', '.join(arguments)})"
