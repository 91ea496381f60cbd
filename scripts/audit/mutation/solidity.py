"""The mutants of a Solidity source, made from the compiler's syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.invariants.compiler import read_source, run_compiler

from .mutant import GUARD, Change, Mutant, named

_BINARY = {
    "+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "==": "!=", "!=": "==", "&&": "||", "||": "&&", "<<": ">>", ">>": "<<", "&": "|", "|": "&",
}  # fmt: skip
_KIND = dict.fromkeys("+-*/%", "arithmetic") | dict.fromkeys(("<<", ">>", "&", "|"), "bits")
_KIND |= dict.fromkeys(("<", "<=", ">", ">="), "boundary") | dict.fromkeys(("==", "!=", "&&", "||"), "condition")
_NAMES = {"mulDown": "mulUp", "mulUp": "mulDown", "divDown": "divUp", "divUp": "divDown", "min": "max", "max": "min"}
_NAMES |= {"Ceil": "Floor", "Floor": "Ceil"}
_YUL = {"add": "sub", "sub": "add", "shl": "shr", "shr": "shl", "and": "or", "or": "and", "mul": "div", "sar": "shr"}
_YUL |= {"slt": "sgt", "lt": "gt", "gt": "lt", "sgt": "slt"}
_COMPOUND = {"+=": "-=", "-=": "+=", "*=": "/=", "|=": "&=", "&=": "|=", "<<=": ">>=", ">>=": "<<="}


def mutants_of(file: str) -> list[Mutant]:
    """All mutants of a file of contracts/, in the order of their places."""
    source = read_source(file).encode()
    settings = {"stopAfter": "parsing", "outputSelection": {"*": {"": ["ast"]}}}
    tree = run_compiler({file: {"content": source.decode()}}, settings)["sources"][file]["ast"]
    return named(file, source, _walk(tree, source, ""))


def _walk(node: Any, source: bytes, scope: str) -> Iterator[Change]:
    if isinstance(node, list):
        for one in node:
            yield from _walk(one, source, scope)
    elif isinstance(node, dict):
        if node.get("nodeType") in ("FunctionDefinition", "ModifierDefinition", "ContractDefinition"):
            name = node.get("name") or node.get("kind")
            # An underscore tells what others of the library call from what is called from outside.
            hidden = "_" if node.get("visibility") == "private" and not name.startswith("_") else ""
            scope = f"{scope}.{hidden}{name}"
        for start, end, kind, replacement in _changes(node, source):
            yield start, end, kind, replacement, scope
        for name, child in node.items():
            # Imports, types and signatures have nothing to change; a constant's value has.
            if isinstance(child, dict | list) and name not in (
                "typeName",
                "parameters",
                "returnParameters",
                "symbolAliases",
            ):
                yield from _walk(child, source, scope)


def _place(node: dict[str, Any]) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def _text(node: dict[str, Any], source: bytes) -> str:
    start, end = _place(node)
    return source[start:end].decode()


def _changes(node: dict[str, Any], source: bytes) -> Iterator[tuple[int, int, str, str]]:
    match node.get("nodeType"):
        case "IfStatement":
            start, end = _place(node["condition"])
            condition = _text(node["condition"], source)
            guards = not node.get("falseBody") and _reverts(node["trueBody"])
            yield start, end, GUARD if guards else "condition", "false"
            yield start, end, "condition", f"!({condition})"
        case "Conditional":
            yield *_place(node["condition"]), "condition", f"!({_text(node['condition'], source)})"
        case "ModifierInvocation":
            # With its space; a base's constructor does not compile without its arguments, and is no mutant then.
            start, end = _place(node)
            yield start, end, GUARD, ""
        case "BinaryOperation":
            yield from _binary(node, source)
        case "UnaryOperation" if node["operator"] in ("-", "!") and node["prefix"]:
            yield *_place(node), "sign", f"({_text(node['subExpression'], source)})"
        case "ExpressionStatement":
            yield from _statement(node, source)
        case "EmitStatement" | "Continue":
            yield from _left_out(node, source, "statement")
        case "Assignment" if node["operator"] in _COMPOUND:
            start, end = _place(node["leftHandSide"])[1], _place(node["rightHandSide"])[0]
            between = source[start:end].decode()
            yield start, end, "arithmetic", between.replace(node["operator"], _COMPOUND[node["operator"]])
            yield start, end, "assignment", between.replace(node["operator"], "=")
        case "Literal" if node["kind"] == "number":
            yield from _constant(node, source)
        case "MemberAccess" if node["memberName"] in _NAMES:
            start, end = _place(node)
            name = node["memberName"]
            yield end - len(name), end, "rounding", _NAMES[name]
        case "YulFunctionCall" if node["functionName"]["name"] in _YUL:
            yield *_place(node["functionName"]), "arithmetic", _YUL[node["functionName"]["name"]]
        case "YulLiteral" if node["kind"] == "number":
            value = int(node["value"], 0)
            yield *_place(node), "constant", str(value + 1)
        case "YulExpressionStatement" | "YulAssignment":
            yield *_place(node), "statement", "{}"


def _reverts(body: dict[str, Any]) -> bool:
    statements = body["statements"] if body["nodeType"] == "Block" else [body]
    return bool(statements) and statements[-1]["nodeType"] == "RevertStatement"


def _binary(node: dict[str, Any], source: bytes) -> Iterator[tuple[int, int, str, str]]:
    operator = node["operator"]
    if operator in _BINARY:
        start, end = _place(node["leftExpression"])[1], _place(node["rightExpression"])[0]
        between = source[start:end].decode()
        if between.count(operator) == 1:
            yield start, end, _KIND[operator], between.replace(operator, _BINARY[operator])


def _statement(node: dict[str, Any], source: bytes) -> Iterator[tuple[int, int, str, str]]:
    expression = node["expression"]
    if expression["nodeType"] == "FunctionCall":
        called = expression["expression"].get("name")
        yield from _left_out(node, source, GUARD if called == "require" else "statement")
    elif expression["nodeType"] == "Assignment":
        yield from _left_out(node, source, "assignment")


def _left_out(node: dict[str, Any], source: bytes, kind: str) -> Iterator[tuple[int, int, str, str]]:
    """Without a statement, whose place in the tree ends before its semicolon; at the end of a `for` there is none."""
    start, end = _place(node)
    after = end + len(source[end:]) - len(source[end:].lstrip())
    if source[after : after + 1] == b";":
        yield start, after + 1, kind, "{}"
    else:
        yield start, end, kind, ""


def _constant(node: dict[str, Any], source: bytes) -> Iterator[tuple[int, int, str, str]]:
    start, end = _place(node)
    text = _text(node, source)
    if text == "0":
        yield start, end, "constant", "1"
    else:
        yield start, end, "constant", f"({text} + 1)"
        if text == "1":
            yield start, end, "constant", "0"
