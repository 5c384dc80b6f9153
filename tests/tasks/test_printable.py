"""Control characters in data, which must not reach a terminal."""

import logging
import shlex
import subprocess

import pytest
from cli_cases import seqzoo

from seqzoo.tasks.printable import printable, quoted, quoted_path
from seqzoo.tasks.runs.interlinear import interlinear
from seqzoo.zoo import output
from seqzoo.zoo.finding import Finding
from seqzoo.zoo.inference import prediction_lines
from seqzoo.zoo.inference.reply import Reply
from seqzoo.zoo.serving.guard import Formatter

HOSTILE = "a\x1b]0;title\x07b\x1b[2J\x9bc\x7f"
ESCAPED = r"a\x1b]0;title\x07b\x1b[2J\x9bc\x7f"


def test_control_characters_are_escaped() -> None:
    assert printable(HOSTILE) == ESCAPED
    ordinary = "Zoë 👩‍🚀 \u202bعربي\u202c\u00a0–\ttab\r\nline"
    assert printable(ordinary) == ordinary
    assert output.one_line("a\tb\nc") == "a b c"


@pytest.mark.parametrize(
    "shown",
    [
        output.one_line,
        output.shortened,
        lambda text: output.table([text], [[text]]),
        lambda text: Finding(text, text, fix=text).text(),
        lambda text: interlinear(["a"], [text], ["b" + text]),
        lambda text: output.evaluation_text(
            {"loss": 1.0, "confusions": [{"truth": text, "prediction": text, "count": 1}]}
        ),
    ],
)
def test_what_is_printed_has_no_control_characters(shown) -> None:
    text = shown(HOSTILE)
    assert ESCAPED in text and printable(text) == text


def test_a_drawn_table_has_only_its_own_commands(monkeypatch) -> None:
    monkeypatch.setattr(output.sys.stdout, "isatty", lambda: True, raising=False)
    text = output.table(["x\x9by"], [["x\x1b[2Jy"]])
    assert r"x\x9by" in text and r"x\x1b[2Jy" in text and "\x9b" not in text


def test_a_word_with_control_characters_is_quoted_so_that_a_shell_reads_it() -> None:
    assert quoted("it's") == shlex.quote("it's")
    assert quoted_path("a b") == "'a b'" and quoted_path("-a b") == "'./-a b'"
    word = f"it's \\ {HOSTILE}1 é"
    assert printable(quoted(word)) == quoted(word)
    script = f"LC_ALL=C.UTF-8; printf %s {quoted(word)}"
    read = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert read.stdout.decode() == word


def test_the_log_of_the_server_escapes_control_characters() -> None:
    record = logging.makeLogRecord({"msg": "request"})
    record.request = {"method": "GET", "path": "/\x9b2J", "status": 404, "milliseconds": 1.0}
    assert Formatter("text").format(record).endswith(r"GET /\x9b2J 404 1.0 ms")


def test_a_suggested_command_names_a_column_with_control_characters(tmp_path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{'good nice' if n % 2 else 'bad ugly'} {n},{'ab'[n % 2]}\n" for n in range(40)]
    path.write_text("te\x1b[31mxt,label\n" + "".join(rows))
    result = seqzoo("check", path, "--no-timing")
    assert r"--input $'te\u001b[31mxt'" in result.stdout and "\x1b" not in result.stdout
    result = seqzoo("check", path, "--no-timing", "--input", "x\x1b[31my")
    assert result.exit_code == 2 and "\x1b" not in result.stderr


def test_predicted_csv_is_exact_on_a_pipe(monkeypatch) -> None:
    replies = [Reply("1,a\x1b[31mb"), Reply("line 2 \x1b[2J", bad=True)]
    monkeypatch.setattr(prediction_lines, "prediction_lines", lambda *_, **__: iter(replies))
    result = seqzoo("predict", "language-id", "x", "--format", "csv")
    assert result.stdout == "1,a\x1b[31mb\n" and result.stderr == "line 2 \\x1b[2J\n"
