"""For make: `python -m backstop.doctor.stamps` removes the stamps of packages that are not, or no longer, as locked."""

from __future__ import annotations

from pathlib import Path

from backstop.doctor.packages import check_npm_packages, check_python_packages


def remove_false_stamps(checkout: Path) -> None:
    """Without its stamp make installs anew what it stands for."""
    if check_python_packages(checkout).is_fault:
        (checkout / ".venv" / ".ok").unlink(missing_ok=True)
    if check_npm_packages(checkout).is_fault:
        (checkout / "node_modules" / ".ok").unlink(missing_ok=True)


if __name__ == "__main__":
    remove_false_stamps(Path.cwd())
