"""Python source, each character with the class of the token that it is part of.

The labels of the `python_tokens` data set. Needs only Python.
"""

import builtins
import io
import itertools
import keyword
import token
import tokenize
from collections.abc import Iterator

CLASSES = (
    "space",
    "keyword",
    "builtin",
    "function",
    "class",
    "decorator",
    "name",
    "number",
    "string",
    "docstring",
    "comment",
    "operator",
)
"""The classes of tokens; see `highlight`."""

# The names left out are added by the `site` module, for interactive use.
BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_")) - {
    "copyright", "credits", "exit", "help", "license", "quit",
}  # fmt: skip

_SKIPPED = {token.INDENT, token.DEDENT, token.ENDMARKER}


def highlight(source: str) -> tuple[list[str], list[int]]:
    """The class of each character, and where logical lines end.

    - `keyword`: reserved words, including True, False and None; `match` and `case` are names,
      and `type` is a built-in.
    - `builtin`: Python's built-in names (len, int, ValueError), but not as an attribute (`self.id`)
      or the name of an argument (`f(type=1)`).
    - `function`, `class`: the name after `def` and after `class`; elsewhere it is a `name`.
    - `decorator`: `@` and the dotted name after it.
    - `docstring`: a string that is a statement by itself; all other strings are `string`, with
      their prefix and quotes, and f-strings with the expressions in them.
    - `operator`: operators, brackets, commas, colons and so on.
    - `space`: everything between the tokens: spaces, line breaks, a backslash at the end of a line.

    Args:
        source: a file or complete statements, with "\\n" as the line ending.

    Returns: one of `CLASSES` per character; the positions after each logical line, comment line or
        blank line, where the source can be split.

    Raises:
        SyntaxError: the source cannot be tokenised.
    """
    starts = list(itertools.accumulate((len(line) for line in io.StringIO(source)), initial=0))
    classes = ["space"] * len(source)
    ends = []
    line: list[tokenize.TokenInfo] = []

    def position(row_and_column: tuple[int, int]) -> int:
        row, column = row_and_column
        return min(starts[row - 1] + column, len(source)) if row <= len(starts) else len(source)

    for item in _tokens(source):
        if item.type == token.COMMENT:
            start, end = position(item.start), position(item.end)
            classes[start:end] = ["comment"] * (end - start)
        elif item.type == token.NEWLINE or item.type == token.NL and not line:
            for name, first, last in _logical_line(line):
                start, end = position(first), position(last)
                classes[start:end] = [name] * (end - start)
            line = []
            ends.append(position((item.start[0] + 1, 0)))
        elif item.type not in _SKIPPED and item.type != token.NL:
            line.append(item)
    return classes, ends


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    """Python's tokens; an f-string is one string, as it was before Python 3.12."""
    opened: list[tokenize.TokenInfo] = []
    try:
        for item in tokenize.generate_tokens(io.StringIO(source).readline):
            if item.type == token.ERRORTOKEN:
                raise SyntaxError(f"not a Python token: {item.string!r} on line {item.start[0]}")
            kind = token.tok_name[item.type]
            if kind.endswith("STRING_START"):
                opened.append(item)
            elif kind.endswith("STRING_END"):
                start = opened.pop()
                item = tokenize.TokenInfo(token.STRING, "", start.start, item.end, start.line)
            if not opened:
                yield item
    except tokenize.TokenError as error:
        raise SyntaxError(str(error)) from error


def _logical_line(
    line: list[tokenize.TokenInfo],
) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    """The class, start and end of each token of a logical line."""
    is_docstring = all(item.type == token.STRING for item in line)
    is_decorator = bool(line) and line[0].string == "@"
    depth = 0
    for index, item in enumerate(line):
        before = line[index - 1].string if index else ""
        after = line[index + 1].string if index + 1 < len(line) else ""
        is_decorator = is_decorator and (item.string in ("@", ".") or item.type == token.NAME)
        depth += (item.string in ("(", "[", "{")) - (item.string in (")", "]", "}"))
        if item.type == token.STRING:
            name = "docstring" if is_docstring else "string"
        elif is_decorator:
            name = "decorator"
        elif item.type == token.NUMBER:
            name = "number"
        elif item.type == token.NAME:
            name = _name(item.string, before, after, depth)
        else:
            name = "operator"
        yield name, item.start, item.end


def _name(word: str, before: str, after: str, depth: int) -> str:
    if keyword.iskeyword(word):
        return "keyword"
    if before in ("def", "class"):
        return "function" if before == "def" else "class"
    is_argument = depth > 0 and after == "="
    return "builtin" if word in BUILTINS and before != "." and not is_argument else "name"
