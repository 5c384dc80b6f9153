"""Findings of the checks of the installation and of data."""

from dataclasses import dataclass, field
from typing import Any, Literal

from seqzoo.tasks.printable import printable


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        subject: what was checked, such as "memory".
        message: the result in words.
        state: "ok"; "note" for a possible improvement; "broken" if commands fail because of it.
        fix: a command or an instruction; empty if there is nothing to do.
        values: the result as JSON-serialisable values.
    """

    subject: str
    message: str
    state: Literal["ok", "note", "broken"] = "ok"
    fix: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The finding as a line of text, with the fix on a second line."""
        mark = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}[self.state]
        fix = f"          {self.fix}\n" if self.fix else ""
        return printable(f"{mark}  {self.subject}: {self.message}\n{fix}")
