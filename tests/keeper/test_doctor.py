"""`backstop doctor` on machines that lack something: made of temporary folders, a PATH and a PYTHONPATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import backstop
from backstop.doctor.findings import Status
from backstop.doctor.programs import FOUNDRY, check_python
from backstop.doctor.stamps import remove_false_stamps

ROOT = Path(backstop.__file__).parents[1]
NAMES = (
    "Python",
    "Node",
    "npm",
    "make",
    "Python packages",
    "coincurve",
    "npm packages",
    "solc",
    "anvil",
    "forge",
)


@dataclass
class Machine:
    """A folder of programs, which is all that is on the PATH, and a checkout that agrees with everything."""

    programs: Path
    checkout: Path

    def program(self, name: str, says: str, *, status: int = 0, folder: Path | None = None) -> Path:
        file = (folder or self.programs) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
        file.chmod(0o755)
        return file

    def lock(self, *lines: str) -> None:
        (self.checkout / "requirements.lock").write_text("\n".join(lines) + "\n")

    def npm_lock(self, **packages: dict[str, Any]) -> None:
        entries = {"": {"name": "backstop"}} | {f"node_modules/{name}": entry for name, entry in packages.items()}
        (self.checkout / "package-lock.json").write_text(json.dumps({"packages": entries}))

    def npm_package(self, name: str, number: str) -> None:
        folder = self.checkout / "node_modules" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"version": number}))

    def run(self, *options: str, cwd: Path | None = None, python_path: Path | None = None) -> Any:
        # Nothing of this machine, but what lets the audit measure it.
        environment = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        environment |= {"PATH": str(self.programs), "HOME": str(self.programs)}
        if python_path is not None:
            environment["PYTHONPATH"] = str(python_path)
        return subprocess.run(
            [sys.executable, "-m", "backstop.cli", "doctor", *options],
            env=environment,
            cwd=cwd or self.checkout,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def findings(self, **how: Any) -> tuple[int, dict[str, dict[str, Any]]]:
        """Exit status, and what was found by name."""
        done = self.run("--json", "--checkout", str(self.checkout), **how)
        assert done.stderr == ""
        return done.returncode, {finding["name"]: finding for finding in json.loads(done.stdout)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "bin", tmp_path / "checkout")
    machine.checkout.mkdir()
    machine.program("node", "v20.11.0")
    machine.program("npm", "10.2.4")
    machine.program("make", "GNU Make 4.3")
    for name in ("anvil", "forge"):
        machine.program(name, f"{name} Version: {FOUNDRY}\nCommit SHA: 1234567890abcdef")
    machine.program("solc-v0.8.37", "solc\nVersion: 0.8.37+commit.f401782d", folder=machine.checkout / "toolchain")
    machine.lock(f"click=={version('click')} \\", "    --hash=sha256:00")
    machine.npm_lock(solc={"version": "0.8.37"})
    machine.npm_package("solc", "0.8.37")
    return machine


def test_all_is_well(machine: Machine) -> None:
    status, findings = machine.findings()
    assert tuple(findings) == NAMES
    assert {finding["status"] for finding in findings.values()} == {"ok"}
    assert status == 0
    assert findings["Node"]["found"] == "20.11.0"
    assert findings["anvil"]["found"] == FOUNDRY
    assert findings["solc"]["found"] == "0.8.37"


def test_in_words_it_is_a_line_each(machine: Machine) -> None:
    machine.program("node", "v18.20.4")
    (machine.programs / "make").unlink()
    done = machine.run("--checkout", str(machine.checkout))
    lines = done.stdout.splitlines()
    assert len(lines) == len(NAMES)
    assert lines[1:4] == [
        "wrong      Node 18.20.4: 20 or newer is wanted; install it from https://nodejs.org or your system's packages",
        "ok         npm 10.2.4",
        "missing    make: install GNU make from your system's packages",
    ]
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("name", "says", "status"),
    [
        ("node", "v19.9.9", "wrong"),
        ("node", "v22.0.0", "ok"),
        ("npm", "9.0.0", "ok"),
        ("anvil", "anvil Version: 1.5.0-stable", "wrong"),
        ("anvil", "anvil Version: 1.7.10", "wrong"),
        ("forge", "forge 0.2.0 (abc 2024)", "wrong"),
        ("make", "GNU Make 3.81", "ok"),
    ],
)
def test_a_version_that_does_not_fit_is_wrong(name: str, says: str, status: str, machine: Machine) -> None:
    machine.program(name, says)
    code, findings = machine.findings()
    finding = findings["Node" if name == "node" else name]
    assert finding["status"] == status
    assert (finding["advice"] is None) is (status == "ok")
    assert code == (0 if status == "ok" else 1)


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10, 14), "wrong"), ((3, 11, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "wrong"), ((2, 12, 0), "wrong")],
)
def test_python_has_a_version_that_works(version: tuple[int, ...], status: Status) -> None:
    assert check_python(version).status == status


def test_without_node_the_compiler_cannot_be_asked(machine: Machine) -> None:
    (machine.programs / "node").unlink()
    (machine.programs / "npm").unlink()
    code, findings = machine.findings()
    assert (findings["Node"]["status"], findings["npm"]["status"]) == ("missing", "missing")
    assert (findings["solc"]["status"], findings["solc"]["advice"]) == ("unchecked", "it needs Node to run")
    assert findings["anvil"]["status"] == "ok"
    assert code == 1


def test_with_nothing_on_the_path_it_still_answers(machine: Machine) -> None:
    shutil.rmtree(machine.programs)
    code, findings = machine.findings()
    missing = [name for name, finding in findings.items() if finding["status"] == "missing"]
    assert missing == ["Node", "npm", "make", "anvil", "forge"]
    assert code == 1


@pytest.mark.parametrize("kind", ["fails", "says nothing", "is no program"])
def test_a_program_that_does_not_run_is_wrong(kind: str, machine: Machine) -> None:
    if kind == "is no program":
        (machine.programs / "anvil").write_bytes(b"\x7fELF")
    else:
        machine.program("anvil", "1.7.1" if kind == "fails" else "", status=1 if kind == "fails" else 0)
    code, findings = machine.findings()
    assert findings["anvil"]["status"] == "wrong"
    assert findings["anvil"]["found"].startswith(str(machine.programs / "anvil"))
    assert code == 1


def test_the_checkouts_own_foundry_comes_before_the_paths(machine: Machine) -> None:
    machine.program("anvil", "anvil Version: 0.1.0")
    machine.program("anvil", f"anvil Version: {FOUNDRY}", folder=machine.checkout / "node_modules" / ".bin")
    _, findings = machine.findings()
    assert findings["anvil"]["status"] == "ok"


def test_the_compiler_is_the_one_that_its_wrapper_names(machine: Machine) -> None:
    machine.program("solc-v0.8.37", "Version: 0.8.30+commit", folder=machine.checkout / "toolchain")
    _, findings = machine.findings()
    assert (findings["solc"]["status"], findings["solc"]["found"]) == ("wrong", "0.8.30")
    (machine.checkout / "toolchain" / "solc-v0.8.37").unlink()
    _, findings = machine.findings()
    assert findings["solc"]["status"] == "missing"
    assert findings["solc"]["advice"] == "restore it from git: `git checkout toolchain`"


def test_python_packages_are_those_of_the_lock(machine: Machine) -> None:
    own = version("click")
    machine.lock(
        f"click=={own} \\",
        "    --hash=sha256:00",
        "rich==0.0.1 ; python_version >= '3.0' \\",
        "not-there==2.0 \\",
        "for-windows==1.0 ; sys_platform == 'no-such-platform' \\",
    )
    code, findings = machine.findings()
    finding = findings["Python packages"]
    assert finding["status"] == "wrong"
    assert finding["found"] == f"rich {version('rich')} instead of 0.0.1, no not-there 2.0"
    assert finding["wanted"] == "3 as locked"
    assert code == 1


def test_packages_that_are_only_missing_are_missing(machine: Machine) -> None:
    machine.lock(*(f"not-there-{number}==1.0" for number in range(5)))
    _, findings = machine.findings()
    finding = findings["Python packages"]
    assert finding["status"] == "missing"
    assert finding["found"] == "no not-there-0 1.0, no not-there-1 1.0, no not-there-2 1.0, 2 more"
    assert finding["advice"] == "run `make setup`"


def test_npm_packages_are_those_of_the_lock(machine: Machine) -> None:
    machine.npm_lock(
        solc={"version": "0.8.37"},
        solhint={"version": "6.2.4"},
        gone={"version": "1.0.0"},
        **{
            "@foundry-rs/anvil-elsewhere": {"version": "1.7.1", "optional": True, "os": ["plan9"]},
            "formatter": {"version": "3.0.0", "peer": True},
        },
    )
    machine.npm_package("solhint", "6.0.0")
    _, findings = machine.findings()
    assert findings["npm packages"]["status"] == "wrong"
    assert findings["npm packages"]["found"] == "solhint 6.0.0 instead of 6.2.4, no gone 1.0.0"
    assert findings["npm packages"]["wanted"] == "3 as locked"


def test_an_optional_package_that_is_there_has_the_version_of_the_lock(machine: Machine) -> None:
    machine.npm_lock(anvil={"version": "1.7.1", "optional": True})
    machine.npm_package("anvil", "1.7.0")
    _, findings = machine.findings()
    assert findings["npm packages"]["found"] == "anvil 1.7.0 instead of 1.7.1"


LOCKS = {"Python packages": "requirements.lock", "npm packages": "package-lock.json"}


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"{}", b'{"packages": {}}', b'{"packages": {"node_modules/a": 1}}', b"\xff\xfe", b"[" * 100_000],
)
def test_a_lock_that_cannot_be_read_is_a_fault(text: bytes, machine: Machine) -> None:
    for file in LOCKS.values():
        (machine.checkout / file).write_bytes(text)
    code, findings = machine.findings()
    for name, file in LOCKS.items():
        assert findings[name]["status"] == "wrong"
        assert findings[name]["found"].startswith(f"({file} cannot be read: ")
        assert findings[name]["advice"] == f"restore it from git: `git checkout {file}`"
    assert code == 1


@pytest.mark.parametrize("how", ["missing", "wrong"])
def test_a_lock_that_is_not_there_or_no_file_is_a_fault(how: str, machine: Machine) -> None:
    for file in LOCKS.values():
        (machine.checkout / file).unlink()
        if how == "wrong":
            (machine.checkout / file).mkdir()
    _, findings = machine.findings()
    for name, file in LOCKS.items():
        assert findings[name]["status"] == how
        assert file in findings[name]["found"]
        assert findings[name]["advice"] == f"restore it from git: `git checkout {file}`"


def test_beside_the_package_a_part_of_a_checkout_is_one(machine: Machine) -> None:
    shutil.copytree(Path(backstop.__file__).parent, machine.checkout / "backstop")
    (machine.checkout / "requirements.lock").unlink()
    shutil.rmtree(machine.checkout / "toolchain")
    done = machine.run("--json", cwd=Path("/"), python_path=machine.checkout)
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["Python packages"]["status"] == findings["solc"]["status"] == "missing"
    assert findings["npm packages"]["status"] == "ok"


def test_the_compiler_is_missing_without_npm_s(machine: Machine) -> None:
    shutil.rmtree(machine.checkout / "node_modules")
    done = machine.run("--checkout", str(machine.checkout))
    [line] = [line for line in done.stdout.splitlines() if " solc" in line and "npm" not in line]
    assert line == "missing    solc: 0.8.37 is wanted; run `make setup`"


@pytest.mark.parametrize("python", [True, False])
def test_stamps_go_with_what_they_stand_for(python: bool, machine: Machine) -> None:
    stamps = [machine.checkout / folder / ".ok" for folder in (".venv", "node_modules")]
    for stamp in stamps:
        stamp.parent.mkdir(exist_ok=True)
        stamp.touch()
    remove_false_stamps(machine.checkout)
    assert all(stamp.exists() for stamp in stamps)
    if python:
        machine.lock("not-there==1.0")
    else:
        (machine.checkout / "node_modules" / "solc" / "package.json").unlink()
    remove_false_stamps(machine.checkout)
    assert [stamp.exists() for stamp in stamps] == [not python, python]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("raise ModuleNotFoundError(\"No module named 'coincurve'\")", "missing"),
        ("raise ImportError('libsecp256k1.so: cannot open')", "wrong"),
    ],
)
def test_coincurve_has_to_load(line: str, status: str, machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "coincurve.py").write_text(line + "\n")
    code, findings = machine.findings(python_path=tmp_path / "shadow")
    assert findings["coincurve"]["status"] == status
    assert code == 1


def test_outside_a_checkout_it_says_what_it_cannot_check(machine: Machine, tmp_path: Path) -> None:
    shutil.copytree(Path(backstop.__file__).parent, tmp_path / "lib" / "backstop")
    done = machine.run("--json", cwd=Path("/"), python_path=tmp_path / "lib")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    unchecked = [name for name, finding in findings.items() if finding["status"] == "unchecked"]
    assert unchecked == ["Python packages", "npm packages", "solc"]
    assert all("there is none here" in findings[name]["advice"] for name in unchecked)
    # Which is no fault.
    assert done.returncode == 0


def test_the_checkout_is_the_one_that_the_working_folder_is_in(machine: Machine, tmp_path: Path) -> None:
    shutil.copytree(Path(backstop.__file__).parent, tmp_path / "lib" / "backstop")
    (machine.checkout / "deep" / "down").mkdir(parents=True)
    machine.lock("not-there==1.0")
    done = machine.run("--json", cwd=machine.checkout / "deep" / "down", python_path=tmp_path / "lib")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["Python packages"]["found"] == "no not-there 1.0"


def test_this_very_machine_is_well() -> None:
    command = [str(Path(sys.executable).parent / "backstop"), "doctor"]
    done = subprocess.run(command, env=os.environ, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert len(done.stdout.splitlines()) == len(NAMES)


def test_the_versions_wanted_are_those_that_are_installed() -> None:
    packages = json.loads((ROOT / "package.json").read_text())
    foundry = {number for name, number in packages["optionalDependencies"].items() if name.startswith("@foundry-rs/")}
    assert foundry == {FOUNDRY}
    assert packages["engines"]["node"] == ">=20"
    wrapper = ROOT / "toolchain" / f"solc-v{packages['devDependencies']['solc']}"
    assert wrapper.exists()
