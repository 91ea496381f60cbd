"""A trial of mutants of `backstop/math` and `backstop/adl`: each in a process of its own, with another module."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.differential.in_process import checks, code_of
from tests.invariants.compiler import ROOT, compile_system

from ..environment import forget_others
from .python import mutants_of
from .suites import broken_in

SURVIVED = ""  # as the ledger has it

CASES = 500  # of each function that a harness has
SEQUENCES = range(8)
BOOKS = range(40)
_SECONDS = 30  # of the processor, four times what all suites take: a mutant that takes more has no end
_MOST_MEMORY = 6 * 2**30

# Tests whose name is not that of the module. The first to be asked are the likeliest to notice.
_DIRECTED = {
    "due": ("test_planning", "test_dead_market"),
    "execution": ("test_planning",),
    "listing": ("test_listing", "test_reach"),
    "results": ("test_cli",),
    "scoring": ("test_ranking", "test_planning"),
    "snapshot": ("test_planning", "test_snapshot_file"),
    "strict_json": ("test_snapshot_file",),
    "trigger_price": ("test_trigger_price", "test_every_mark"),
    "what_if": ("test_what_if", "test_what_if_edges"),
    "what_if_results": ("test_what_if_command",),
}
_OF_NO_MUTANT = ("test_known_bugs",)
# Modules that neither the harnesses nor the models of contracts and keepers run through.
_OF_TESTS_ALONE = (
    "deficit",
    "results",
    "runway",
    "snapshot_file",
    "strict_json",
    "trigger_price",
    "what_if",
    "what_if_results",
)
_OF_FILES = ("snapshot", "snapshot_file", "strict_json", "wad")  # what a snapshot's file is read and written with
_PROCESSES = "subprocess", "installed", "BACKSTOP"  # what a test says that starts the command: that has no mutant

# What is loaded anew with the mutant; the audit itself, and the contracts as compiled, are not.
_ANEW = ("backstop", "scripts", "tests")
_KEPT = ("scripts.audit", "tests.invariants.compiler")


def try_all(file: str, names: Sequence[str]) -> dict[str, str]:
    """What notices each of these mutants of a module."""
    mutants = {mutant.id: mutant for mutant in mutants_of(file)}
    return {name: _noticed(file, mutants[name].text) for name in names}


def control(file: str) -> str:
    """What the suites notice of the module as it is."""
    return _noticed(file, (ROOT / file).read_text(encoding="utf-8"))


def _noticed(file: str, text: str) -> str:
    """What notices that the module has this text, found in a process of its own."""
    compile_system()
    _harnesses()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException):
            os.write(writing, f"={_try(file, text)}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if answer:
        return answer[1:]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return "no end"
    raise RuntimeError(f"the trial of a mutant of {file} ends with status {status} and says nothing")


def _try(file: str, text: str) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    forget_others()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # ape's is of no use here, and slow
    gc.freeze()  # what was loaded before is not looked through, and so not copied
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    module = file.removesuffix(".py").replace("/", ".")
    for name in [name for name in sys.modules if _is_of(name, _ANEW) and not _is_of(name, _KEPT)]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder(module, str(ROOT / file), text))
    settings.register_profile(
        "mutants",
        derandomize=True,
        max_examples=60,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
    try:
        importlib.import_module(module)
    except Exception:
        return "import"
    for name, suite in _suites(file):
        try:
            found = suite()
        except (Exception, SystemExit):
            found = name
        if found:
            return found
    return SURVIVED


def _is_of(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


class _Finder(MetaPathFinder):
    """Finds one module, with another text."""

    def __init__(self, module: str, path: str, text: str) -> None:
        self._module, self._path, self._text = module, path, text

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """The module's, and nobody else's."""
        if fullname != self._module:
            return None
        spec: ModuleSpec | None = spec_from_file_location(
            fullname, self._path, loader=_Loader(fullname, self._path, self._text)
        )
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        """That of the text, whatever is in the file or in the cache."""
        return compile(self._text, self.path, "exec", dont_inherit=True)


def _suites(file: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """In the order in which they are asked."""
    folder = ROOT / "tests" / "adl"
    stem, is_modelled = Path(file).stem, Path(file).stem not in _OF_TESTS_ALONE
    directed = [folder / f"{name}.py" for name in _DIRECTED.get(stem, (f"test_{stem}",))]
    directed = [path for path in directed if path.is_file()]
    left_out = (*_OF_NO_MUTANT, *(() if stem in _OF_FILES else ("test_snapshot_file",)))
    others = sorted(path for path in folder.glob("test_*.py") if path not in directed and path.stem not in left_out)
    last = [path for path in others if path.stem == "test_cli"]
    if directed:
        yield "tests", lambda: _by_tests(directed)
    if is_modelled and "/math/" in file:
        yield "fuzz", _by_harnesses
    if is_modelled:
        yield "sequences", _by_sequences
    yield "tests", lambda: _by_tests([path for path in others if path not in last])
    if is_modelled and "/adl/" in file:
        yield "books", _by_books
    yield "tests", lambda: _by_tests(last)


def _by_tests(paths: Sequence[Path]) -> str:
    """The first of the tests that fails."""
    watch = _Watch()
    arguments = ["-q", "-x", "--noconftest", "--tb=no", f"--rootdir={ROOT}"]
    # What looks for unraisable exceptions collects garbage five times, which takes longer than the tests.
    arguments += [word for name in ("cacheprovider", "unraisableexception") for word in ("-p", f"no:{name}")]
    status = pytest.main([*arguments, *map(str, paths)], plugins=[watch])
    return watch.failed or ("" if status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else "tests")


class _Watch:
    failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Those that start processes see nothing of a mutant."""
        items[:] = [item for item in items if not _starts_a_process(item)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps the first."""
        if report.failed and not self.failed:
            self.failed = report.nodeid.partition("[")[0].rpartition("/")[2]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot even be loaded."""
        if report.failed and not self.failed:
            self.failed = report.nodeid.rpartition("/")[2]


def _starts_a_process(item: pytest.Item) -> bool:
    code = item.function.__code__  # type: ignore[attr-defined]
    return any(name in code.co_names for name in _PROCESSES)


@cache
def _harnesses() -> dict[str, bytes]:
    return {name: code_of(name) for name in {check.harness for check in checks(CASES)}}


def _by_harnesses() -> str:
    """The differential fuzz: the contracts' libraries are as they were."""
    in_process = importlib.import_module("tests.differential.in_process")
    deployed = {name: in_process.InProcess(code) for name, code in _harnesses().items()}
    for check in in_process.checks(CASES):
        try:
            check.run(deployed[check.harness])
        except Exception:
            return f"fuzz of {check.name}"
    return ""


def _by_sequences() -> str:
    """The sequences beside their model, which is made of the package."""
    ground = importlib.import_module("tests.invariants.sequences").Ground(compile_system())
    return broken_in(ground, SEQUENCES)


def _by_books() -> str:
    """Honest keepers, who list and plan with the package, on some of their books."""
    world = importlib.import_module("tests.invariants.honest.world")
    plays = importlib.import_module("tests.invariants.honest.plays")
    ground = world.Ground(compile_system())
    for seed in BOOKS:
        try:
            plays.play(ground, seed, Counter(), is_honest=True)
        except Exception:
            return f"honest book {seed}"
    return ""
