"""The command `backstop` as a process of its own, as an operator runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from eth_account.signers.local import LocalAccount

from backstop.chain.keys import ENVIRONMENT
from backstop.cli import cli

BACKSTOP = Path(sys.executable).with_name("backstop")


@dataclass(frozen=True)
class Done:
    """What a process left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def secret_of(signer: LocalAccount) -> str:
    """A key as the environment holds it."""
    return "0x" + bytes(signer.key).hex()


def backstop(*arguments: str | Path, key: str | None = None, stdin: str | None = None) -> Done:
    """Runs `backstop`. Whatever happens, there is no traceback, and the key is not printed."""
    environment = {name: value for name, value in os.environ.items() if name != ENVIRONMENT}
    if key is not None:
        environment[ENVIRONMENT] = key
    done = subprocess.run(
        [BACKSTOP, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=120,
        check=False,
    )
    return _judged(Done(done.returncode, done.stdout, done.stderr), key)


def backstop_inside(*arguments: str | Path, key: str | None = None) -> Done:
    """The same in this process, which costs no start; for long lists of faults."""
    runner = CliRunner(mix_stderr=False, env={ENVIRONMENT: key})
    done = runner.invoke(cli, [str(argument) for argument in arguments], prog_name="backstop")
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return _judged(Done(done.exit_code, done.stdout, done.stderr), key)


def _judged(done: Done, key: str | None) -> Done:
    assert "Traceback" not in done.err
    assert "this is a bug" not in done.err
    if key:
        assert key.removeprefix("0x").lower() not in (done.out + done.err).lower()
    return done


def assert_refused(done: Done, *words: str) -> None:
    """One clear line on stderr that has all `words`, nothing on stdout, status 2."""
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith("\n")
    assert len(done.err) < 600
    for word in words:
        assert word in done.err
