"""Types as a reader wants them, and the structs and enums that events and errors carry."""

from __future__ import annotations

import re

from .compiled import Compiled, Node, is_own
from .natspec import comment_of, said_of

_KIND = re.compile(r"\b(?:struct|enum|contract) ")


def type_of(parameter: Node) -> str:
    """A declared type, without the word for its kind."""
    return _KIND.sub("", str(parameter["typeDescriptions"]["typeString"]))


def carried_types(compiled: Compiled, declarations: list[Node]) -> list[str]:
    """A section for each struct and enum of the project that these declarations carry, by name."""
    named = {node["name"]: node for file, node in compiled.nodes("StructDefinition", "EnumDefinition") if is_own(file)}
    wanted: set[str] = set()
    todo = [type_of(parameter) for node in declarations for parameter in node["parameters"]["parameters"]]
    while todo:
        name = todo.pop()
        if name not in named or name in wanted:
            continue
        wanted.add(name)
        if named[name]["nodeType"] == "StructDefinition":
            todo += [type_of(member) for member in named[name]["members"]]
    lines: list[str] = []
    for name in sorted(wanted):
        node = named[name]
        lines += ["", f"### {name}", "", said_of(node), ""]
        if node["nodeType"] == "StructDefinition":
            params = comment_of(node).params
            lines += [f"- `{m['name']}` (`{type_of(m)}`): {params[m['name']]}" for m in node["members"]]
        else:
            lines.append(", ".join(f"{place} `{member['name']}`" for place, member in enumerate(node["members"])) + ".")
    return lines
