"""Puts a benchmark's tables on the screen and into `bench/README.md`, between the marks of its topic."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).with_name("README.md")


def tell(topic: str, lines: list[str]) -> None:
    text = "\n".join(lines)
    sys.stdout.write(text + "\n")
    begin, end = f"<!-- {topic} -->", f"<!-- end of {topic} -->"
    known = README.read_text()
    assert begin in known, f"bench/README.md has no place for {topic}"
    README.write_text(
        re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", known, flags=re.DOTALL)
    )
