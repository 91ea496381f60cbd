"""The mutants of a Python source, made from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import accumulate, pairwise

from tests.invariants.compiler import ROOT

from .mutant import GUARD, Change, Mutant, named

_COMPARISONS = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")}
_EQUALITIES = {ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is")}
_EQUALITIES |= {ast.In: ("in", "not in"), ast.NotIn: ("not in", "in")}
_ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//"), ast.FloorDiv: ("//", "*")}
_ARITHMETIC |= {ast.Mod: ("%", "*"), ast.Pow: ("**", "*")}
_NAMES = {"div_floor": "div_ceil", "div_ceil": "div_floor", "mul_floor": "mul_ceil", "mul_ceil": "mul_floor"}
_NAMES |= {"div_toward_zero": "div_floor", "min": "max", "max": "min", "any": "all", "all": "any"}
_REFUSING = frozenset({"fail", "_refuse"})  # methods that raise: strict_json.Node's

# Nothing runs there, or only what says how something is shown or made.
_SKIPPED = frozenset({"annotation", "returns", "decorator_list", "type_params", "format_spec"})


def mutants_of(file: str) -> list[Mutant]:
    """All mutants of a module of backstop/, in the order of their places."""
    source = (ROOT / file).read_bytes()
    return named(file, source, _Walk(source).changes(ast.parse(source), ""))


class _Walk:
    """Over the tree of one source; places are bytes, as the tree counts them."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._lines = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]

    def changes(self, node: ast.AST, scope: str) -> Iterator[Change]:
        """Of a node and all below it."""
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            scope = f"{scope}.{node.name}"
        for start, end, kind, replacement in self._of(node):
            yield start, end, kind, replacement, scope
        for name, value in ast.iter_fields(node):
            if name not in _SKIPPED:
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self.changes(child, scope)

    def _of(self, node: ast.AST) -> Iterator[tuple[int, int, str, str]]:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                guards = not orelse and _raises(body[-1])
                yield *self._place(test), GUARD if guards else "condition", "False"
                yield *self._place(test), "condition", f"not ({self._text(test)})"
            case ast.While(test=test) | ast.IfExp(test=test):
                yield *self._place(test), "condition", f"not ({self._text(test)})"
            case ast.comprehension(ifs=tests):
                for test in tests:
                    yield *self._place(test), "condition", "True"
            case ast.Compare():
                yield from self._comparison(node)
            case ast.BoolOp(op=operator, values=values):
                old, new = ("and", "or") if isinstance(operator, ast.And) else ("or", "and")
                for left, right in pairwise(values):
                    yield from self._between(left, right, "condition", old, new)
            case ast.BinOp():
                yield from self._binary(node)
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
                yield *self._place(node), "sign", f"({self._text(operand)})"
            case ast.Call(func=ast.Name(id=name) as called) if name in _NAMES:
                yield *self._place(called), "rounding" if "_" in name else "condition", _NAMES[name]
            case ast.Constant(value=value):
                yield from self._constant(node, value)
            case ast.stmt():
                yield from self._statement(node)

    def _statement(self, node: ast.stmt) -> Iterator[tuple[int, int, str, str]]:
        match node:
            case ast.Raise():
                yield *self._place(node), GUARD, "pass"
            case ast.Expr(value=ast.Call()):
                yield *self._place(node), GUARD if _raises(node) else "statement", "pass"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield *self._place(node), "assignment", "pass"
            case ast.AugAssign(target=target, op=operator, value=value):
                if type(operator) in _ARITHMETIC:
                    old, new = _ARITHMETIC[type(operator)]
                    yield from self._between(target, value, "arithmetic", f"{old}=", f"{new}=")
                yield *self._place(node), "assignment", "pass"
            case ast.Continue() | ast.Break():
                yield *self._place(node), "statement", "pass"
            case ast.Return(value=value) if value is not None:
                if not (isinstance(value, ast.Constant) and value.value is None):
                    yield *self._place(value), "return", "None"

    def _comparison(self, node: ast.Compare) -> Iterator[tuple[int, int, str, str]]:
        for left, right, operator in zip([node.left, *node.comparators], node.comparators, node.ops, strict=False):
            if type(operator) in _COMPARISONS:
                yield from self._between(left, right, "boundary", *_COMPARISONS[type(operator)])
            else:
                yield from self._between(left, right, "condition", *_EQUALITIES[type(operator)])

    def _binary(self, node: ast.BinOp) -> Iterator[tuple[int, int, str, str]]:
        if type(node.op) in _ARITHMETIC:
            yield from self._between(node.left, node.right, "arithmetic", *_ARITHMETIC[type(node.op)])
        if isinstance(node.op, ast.FloorDiv):
            upward = f"-(-({self._text(node.left)}) // ({self._text(node.right)}))"
            yield *self._place(node), "rounding", f"({upward})"

    def _constant(self, node: ast.Constant, value: object) -> Iterator[tuple[int, int, str, str]]:
        if isinstance(value, bool):
            yield *self._place(node), "constant", str(not value)
        elif isinstance(value, int):
            yield *self._place(node), "constant", f"{value + 1}"
            if value == 1:
                yield *self._place(node), "constant", "0"

    def _between(
        self, left: ast.expr, right: ast.expr, kind: str, old: str, new: str
    ) -> Iterator[tuple[int, int, str, str]]:
        start, end = self._place(left)[1], self._place(right)[0]
        between = self._source[start:end].decode()
        if between.count(old) == 1:
            yield start, end, kind, between.replace(old, new)

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._lines[node.lineno - 1] + node.col_offset, self._lines[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr) -> str:
        start, end = self._place(node)
        return self._source[start:end].decode()


def _raises(node: ast.stmt) -> bool:
    match node:
        case ast.Raise():
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name))):
            return name in _REFUSING
    return False
