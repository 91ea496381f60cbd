"""The interfaces say of everything what it is: a notice, every argument, every return."""

from __future__ import annotations

from scripts.reference import Compiled
from scripts.reference.compiled import Node
from scripts.reference.natspec import comment_of

DECLARATIONS = ("FunctionDefinition", "EventDefinition", "ErrorDefinition", "StructDefinition", "EnumDefinition")


def lacks(node: Node) -> list[str]:
    """What a declaration's comment leaves out."""
    comment = comment_of(node)
    kind = node["nodeType"]
    if kind == "EnumDefinition":
        named: list[str] = []
    else:
        arguments = node["members"] if kind == "StructDefinition" else node["parameters"]["parameters"]
        named = [argument["name"] for argument in arguments]
    missing = [] if comment.notice else ["@notice"]
    missing += [f"@param {name}" for name in named if not comment.params.get(name)]
    returned = node["returnParameters"]["parameters"] if kind == "FunctionDefinition" else []
    said = [text for text in comment.returns if text]
    for place, value in enumerate(returned):
        name = value["name"]
        # The compiler has held that the first word of a named return is its name.
        if place >= len(said) or (name and not said[place].removeprefix(name).strip()):
            missing.append(f"@return {name}".strip())
    return missing


def test_interfaces_are_complete(compiled: Compiled) -> None:
    seen = 0
    incomplete: dict[str, list[str]] = {}
    for file, node in compiled.nodes(*DECLARATIONS):
        is_type = file.startswith("contracts/types/") and node["nodeType"] in ("StructDefinition", "EnumDefinition")
        if not file.startswith("contracts/interfaces/") and not is_type:
            continue
        seen += 1
        if missing := lacks(node):
            incomplete[f"{file}: {node['name']}"] = missing
    assert incomplete == {}
    assert seen > 300


def test_events_and_errors_outside_the_interfaces_are_complete(compiled: Compiled) -> None:
    incomplete = {
        f"{file}: {node['name']}": missing
        for file, node in compiled.nodes("EventDefinition", "ErrorDefinition")
        if file.startswith("contracts/") and (missing := lacks(node))
    }
    assert incomplete == {}


def test_what_is_missing_is_found() -> None:
    """The test above would be worth nothing if it could not fail."""
    argument, value = {"name": "amount"}, {"name": "paid"}
    node: Node = {
        "nodeType": "FunctionDefinition",
        "parameters": {"parameters": [argument]},
        "returnParameters": {"parameters": [value]},
    }
    assert lacks(node) == ["@notice", "@param amount", "@return paid"]
    node["documentation"] = {"text": "@notice Pays.\n@param amount Token units,\nin all.\n@return paid"}
    assert lacks(node) == ["@return paid"]
    node["documentation"]["text"] += " Token units."
    assert lacks(node) == []
