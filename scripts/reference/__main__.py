"""Writes the reference pages: `make reference`."""

from __future__ import annotations

from . import PAGES, compile_contracts


def main() -> None:
    """Write each page, and say so."""
    compiled = compile_contracts()
    for file, page in PAGES.items():
        file.write_text(page(compiled), encoding="utf-8")
        print(f"docs/{file.name}")


if __name__ == "__main__":
    main()
