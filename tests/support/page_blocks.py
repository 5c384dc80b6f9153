"""Reads the code blocks of a page, and the shell commands in them."""

import pathlib
import re
import shlex
from dataclasses import dataclass

BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
WRITTEN = re.compile(
    r"(?:--run|--output|>|seqzoo export [\w./~-]+) ([\w./~-]+)"  # by commands
    r'|(?:\(|data_dir=)"([\w./]+)"|"(runs/[\w-]+)"'  # by Python; other matches do no harm
)
TRAINED = re.compile(r"seqzoo train ([\w-]+)")


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        path: path of the page.
        line: number of its first line, counted from 1.
        language: the word after the fence, such as "python", "sh" or "text".
        code: its contents.
    """

    path: pathlib.Path
    line: int
    language: str
    code: str


@dataclass(frozen=True)
class Command:
    """A shell command.

    Attributes:
        words: the command and its arguments.
        stdin: file that it reads, or None.
        stdout: file that its output is written to, or None.
    """

    words: list[str]
    stdin: str | None = None
    stdout: str | None = None


def blocks_of(path: pathlib.Path) -> list[Block]:
    """All code blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(path, text.count("\n", 0, match.start()) + 2, match[1], match[2])
        for match in BLOCK.finditer(text)
    ]


def parts_of(path: pathlib.Path) -> list[list[Block]]:
    """The blocks of a page, divided into parts of which none reads what another writes."""
    parts: list[list[Block]] = []
    for block in blocks_of(path):
        needed = [part for part in parts if any(_written(item) & _read(block) for item in part)]
        parts = [part for part in parts if part not in needed]
        parts.append([*(item for part in needed for item in part), block])
    return sorted(parts, key=lambda part: part[0].line)


def _written(block: Block) -> set[str]:
    """Runs and files that a block names and writes: `runs/NAME`, or the first folder of other
    paths."""
    results = [group for groups in WRITTEN.findall(block.code) for group in groups if group]
    results += [f"runs/{name}" for name in TRAINED.findall(block.code)]
    return {_root(item) for item in results}


def _read(block: Block) -> set[str]:
    """All words of a block, as paths."""
    return {_root(item) for item in re.findall(r"[\w~][\w.~/-]*", block.code)}


def _root(path: str) -> str:
    """The beginning of a path by which paths are compared."""
    first, *rest = path.split("/")
    return f"{first}/{rest[0]}" if first == "runs" and rest else first


def commands_of(code: str, home: pathlib.Path) -> list[Command]:
    """The commands of a block: one per line or several joined by `&&`, with `<`, `>` and `~`."""
    commands = []
    for line in code.splitlines():
        reader = shlex.shlex(line, posix=True, punctuation_chars="<>&;|")
        reader.whitespace_split = True
        words = [str(home) + word[1:] if word.startswith("~/") else word for word in reader]
        for part in _split(words):
            commands.append(_command(part))
    return commands


def _split(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _command(words: list[str]) -> Command:
    files: dict[str, str] = {}
    for sign in "<>":
        if sign in words:
            position = words.index(sign)
            files[sign] = words[position + 1]
            words = words[:position] + words[position + 2 :]
    return Command(words, files.get("<"), files.get(">"))
