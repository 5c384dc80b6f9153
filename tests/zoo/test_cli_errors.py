"""Error messages for bad input: one line on standard error, exit code 2, and nothing written."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest
from cli_cases import ROOT, files, process, seqzoo

from seqzoo.zoo.stopping import handling_signals

ROWS = "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20))
GOOD = f"text,label\n{ROWS}"
NEW = "train many-to-one --kind words --input text --target label"
TRAIN = f"{NEW} --data data.csv"
SERIES = TRAIN.replace("words", "series")

# name: (content of data.csv, the command, what the error says)
BAD: dict[str, tuple[str | bytes, str, str]] = {
    "unknown preset": ("", "train langage-id", "no preset .*'langage-id'.* mean 'language-id'"),
    "no name": ("", "train", "Name a preset or a template to train: language-id"),
    "no data": ("", "train many-to-one --kind words", "many-to-one needs --data"),
    "unknown data": ("", f"{NEW} --data langauges", "'langauges'; did you mean 'languages'"),
    "no such file": ("", f"{NEW} --data other.csv", "There is no file other.csv"),
    "unknown cell": (GOOD, f"{TRAIN} --cell grru", "'grru'.*'gru'"),
    "unknown option of a cell": (GOOD, f"{TRAIN} --cell-option bais=1", "bais"),
    "no option of a cell": ("", f"{TRAIN} --cell-option bias", "must be NAME=VALUE, got 'bias'"),
    "missing column": (
        GOOD.replace("text,label", "txt,label"),
        TRAIN,
        r"\(txt, label\), got 'text'; did you mean 'txt'",
    ),
    "empty file": ("", TRAIN, r"data\.csv is empty"),
    "undecodable bytes": (
        GOOD.encode() + b"caf\xe9,a\n",
        TRAIN,
        r"data\.csv, line 22, byte 4: 0xe9 is not UTF-8",
    ),
    "wrong number of fields": (f"{GOOD}a,b,c\n", TRAIN, "line 22 has 3 fields, expected 2"),
    "label never seen": (
        GOOD,
        f"{TRAIN} --test test.csv",
        r"test\.csv, line 2: the label 'unseen' does not occur in training",
    ),
    "empty text": (f"{GOOD},a\n", TRAIN, "line 22: 'text' is empty"),
    "only one class": (GOOD.replace(",b", ",a"), TRAIN, "two classes"),
    "no number": (GOOD, f"{TRAIN} --target-kind value", "line 2: 'label' .*'a' is not a number"),
    "NaN": ("text,label\n1 2,a\n1 nan,b\n", SERIES, r"line 3: 'text' contains NaN at position 2"),
    "empty sequence": ("text,label\n1 2,a\n[],b\n", SERIES, "line 3: 'text' is empty"),
    "units of zero": ("", f"{TRAIN} --units 0", "`units` must be at least 1, got 0"),
    "units of no number": ("", f"{TRAIN} --units x", "'--units': 'x' is not a valid integer"),
    "negative learning rate": ("", f"{TRAIN} --learning-rate -1", "`learning_rate` .*got -1"),
    "learning rate without end": (
        "",
        f"{TRAIN} --learning-rate inf",
        "above 0 and finite, got inf",
    ),
    "weight decay of no number": ("", f"{TRAIN} --weight-decay nan", "`weight_decay` .*got nan"),
    "seed too large": ("", f"{TRAIN} --seed 4294967296", "`seed` must be .* at most 4294967295"),
    "name of a run too long": ("", f"{TRAIN} --run {'x' * 300}", "x: File name too long"),
    "more than fits": (
        GOOD,
        f"{TRAIN} --units 300000 --embedding 1",
        "not enough memory.*fewer units",
    ),
    "shares above one": ("", f"{TRAIN} --test 0.9 --validation 0.2", "leave training examples"),
    "unknown option": ("", "train language-id --unit 3", "No such option.*--unit"),
    "unknown option before the command": ("", "--unit 3 train", "No such option '--unit'"),
    "unknown command": ("", "trian", "No such command 'trian'"),
    "run folder that exists": ("", f"{TRAIN} --run .", r"\. already exists"),
    "nothing to resume": ("", "train language-id --resume", "no run of language-id"),
    "resume of nothing named": ("", "train --resume", "--resume needs --run"),
    "resume of no run": ("", "train --resume --run .", r"\. is not a run folder"),
    "evaluate no run": ("", "evaluate .", r"\. is not a run folder"),
    "predict with no run": ("", "predict nowhere text", "nowhere is not a run folder"),
    "predict with a trained model misspelt": (
        "",
        "predict langage-id text",
        "langage-id is not a run folder.* mean 'language-id'",
    ),
    "export no run": ("", "export . folder", r"\. is not a run folder"),
    "top of zero": ("", "predict . text --top 0", "must be at least 1, got 0"),
}


@pytest.mark.parametrize(
    "content, command, message",
    # TensorFlow waits for memory for ten seconds.
    [
        pytest.param(*case, id=name, marks=[pytest.mark.slow] * (name == "more than fits"))
        for name, case in BAD.items()
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path, monkeypatch, content, command, message
) -> None:
    monkeypatch.chdir(tmp_path)
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "data.csv").write_bytes(data)
    (tmp_path / "test.csv").write_text("text,label\nnew,unseen\n")
    before = files(tmp_path)
    result = seqzoo(*command.split())
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert re.search(message, line), line
    assert files(tmp_path) == before
    # These are found out after the data were read and described.
    if not re.match("two classes|not enough memory", message):
        assert result.stdout == ""


def test_bad_input_to_a_run(trained, tmp_path) -> None:
    unseen = tmp_path / "unseen.csv"
    unseen.write_text("text,label\nabc,a-text\nxyz,c-text\n")
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "file").touch()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    for words, message in (
        (["evaluate", trained / "run", "--data", unseen], "'c-text'.*line 3|line 3.*'c-text'"),
        (["evaluate", trained / "run", "--split", "all", "--data", "languages"], "is for files"),
        (["export", trained / "run", occupied], "occupied already exists"),
        (["evaluate", broken], r"config\.json is damaged"),
    ):
        before = files(tmp_path)
        result = seqzoo(*words)
        assert result.exit_code == 2, result.output
        (line,) = result.stderr.splitlines()
        assert re.search(message, line), line
        assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "onnx", "--precision", "float16"], "must be float32 or int8 for onnx, got"),
        (["--steps", 3], "`steps` fixes the length of inputs only for litert"),
        (["--format", "keras", "--signature", "explain"], "is a signature of a saved-model"),
    ],
)
def test_an_export_that_no_model_has_is_refused_before_the_run_is_opened(words, message) -> None:
    result = seqzoo("export", "nowhere", "out", *words)
    assert (result.exit_code, result.stdout) == (2, "") and message in result.stderr


def test_what_cannot_be_generated_from_is_named() -> None:
    result = seqzoo("generate", "date-normaliser", "3 mars 2021", "")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: Text 2 is empty; fill it in or leave it out.\n"


def test_a_run_from_python_is_scored_on_a_file_that_is_named(trained, tmp_path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "source": {}}))
    for words in (["evaluate", run], ["train", "--resume", "--run", run]):
        result = seqzoo(*words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert re.fullmatch("Error: .*trained from Python, .* --data, .*\n", result.stderr)
    data = ["--data", trained / "data.csv", "--input", "text", "--target", "label"]
    named, stored = seqzoo("evaluate", run, *data), seqzoo("evaluate", trained / "run", *data)
    assert named.exit_code == 0 and named.stdout == stored.stdout


@pytest.mark.slow
def test_bad_input_in_a_separate_process(tmp_path) -> None:
    # RecordingProgress as it can be typed in a checkout.
    result = process("predict", ".", "text", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(
        r"Error: .*name one that `python \S*cli\.py train` wrote\.\n", result.stderr
    )
    result = process("train", "many-to-one", "--data", "x.csv", "--kind", "words", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "Error: There is no file x.csv.\n"
    assert files(tmp_path) == []


def test_files_are_told_by_their_names_in_this_folder(tmp_path, monkeypatch) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "t.csv").write_text("text,label\na,b\n")
    named = ["train", "many-to-one", "--kind", "words", "--target", "label", "--input", "txt"]
    for folder, name in ((tmp_path, "some/t.csv"), (tmp_path / "some", "t.csv")):
        monkeypatch.chdir(folder)
        message = seqzoo(*named, "--data", name).stderr
        assert f"must name a column of {name} (text, label), got 'txt'" in message
    # A folder of the same name inside the path stays.
    top = pathlib.Path("/", tmp_path.parts[1])
    inner = tmp_path / top.name / "t.csv"
    inner.parent.mkdir()
    inner.write_text("text,label\na,b\n")
    monkeypatch.chdir(top)
    message = seqzoo(*named, "--data", inner).stderr
    assert f"must name a column of {inner.relative_to(top)} (" in message
    monkeypatch.chdir("/")
    path = tmp_path / "some" / "t.csv"
    assert f"must name a column of {path} (" in seqzoo(*named, "--data", path).stderr


@pytest.mark.parametrize(
    "words, near",
    [
        (["list", "cels"], "cells"),
        (["train", "language-id", "--precision", "float23"], "float32"),
        (["predict", "run", "--format", "txt"], "text"),
    ],
)
def test_a_nearly_valid_option_suggests_the_valid_one(words, near) -> None:
    result = seqzoo(*words)
    assert result.exit_code == 2 and result.stderr.endswith(f"did you mean {near!r}?\n")


def test_a_request_to_end_is_handled_where_control_c_is_ignored() -> None:
    # As in what a script starts in the background.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), handling_signals():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(
    "options, message",
    [
        (["--method", "greedy", "--temperature", "2"], "--temperature is for --method sample"),
        (["--method", "sample", "--beam-width", "2"], "--beam-width is for --method beam"),
        (["--method", "beam", "--beam-width", "0"], "`beam_width` must be at least 1, got 0"),
        (["--method", "greedy", "--top", "2"], "--method greedy finds a single text for an input"),
        (["--beam-width", "2", "--top", "5"], "`count` must be at most 2 with the method 'beam'"),
    ],
)
def test_contradictory_decoding_options(options, message) -> None:
    result = seqzoo("predict", "date-normaliser", "3 mars 2021", *options)
    assert (result.exit_code, result.stdout) == (2, "") and message in result.stderr


def test_a_model_of_the_package_is_called_by_its_name() -> None:
    message = seqzoo("predict", "language-id", "a", "--method", "beam").stderr
    assert message == "Error: --method is for models that generate text; language-id does not.\n"


def test_a_pattern_that_nothing_matches() -> None:
    result = seqzoo("list", "presets", "zzz*")
    assert result.exit_code == 2
    assert "There are no presets whose names match 'zzz*'." in result.stderr
    assert seqzoo("list", "presets", "zzz*", "--json").stderr == result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["train", "language-id", "--run", ""],
        ["predict", "language-id", "--input-file", ""],
        ["check", "a.csv", "--html", ""],
    ],
)
def test_an_empty_path_is_refused(words) -> None:
    result = seqzoo(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "must not be empty; leave it out for the default" in result.stderr


def test_a_report_is_written_to_a_folder(tmp_path) -> None:
    (tmp_path / "taken").write_text("")
    result = seqzoo("evaluate", "language-id", "--report", tmp_path / "taken")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "taken is a file; name a folder for the report." in result.stderr


@pytest.mark.parametrize(
    "words, name",
    [
        (["train", "language-id", "--run"], "--run"),
        (["search", "language-id", "--run"], "--run"),
        (["init", "language-id", "--output"], "--output"),
        (["predict", "language-id", "--input-file", "a.txt", "--output"], "--output"),
        (["predict", "language-id", "a", "--attention-file"], "--attention-file"),
        (["predict", "language-id", "--plot"], "--plot"),
        (["inspect", "language-id", "a", "--output"], "--output"),
        (["evaluate", "language-id", "--report"], "--report"),
        (["check", "languages", "--html"], "--html"),
        (["export", "language-id"], "FOLDER"),
    ],
)
def test_files_to_write_have_names_in_utf_8(words, name) -> None:
    result = seqzoo(*words, "r\udcff")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"'{name}': must be a path in UTF-8." in result.stderr


def test_columns_are_for_files_that_have_them(tmp_path) -> None:
    (tmp_path / "in.txt").write_text("hola\n")
    words = ["predict", "language-id", "--input-file", tmp_path / "in.txt", "--input", "text"]
    assert "is for files with columns, got" in seqzoo(*words).stderr


def test_a_closed_standard_input_is_needed_only_to_read_it() -> None:
    closed = {"preexec_fn": lambda: os.close(0)}
    result = process("predict", "language-id", "hola", **closed)
    assert result.returncode == 0 and result.stdout.count("\n") == 1, result.stderr
    result = process("predict", "language-id", **closed)
    assert result.returncode == 2
    assert result.stderr.endswith("Standard input is closed; give texts or --input-file.\n")


def test_what_is_written_to_closed_streams_is_dropped(tmp_path) -> None:
    result = process("list", "cells", preexec_fn=lambda: os.close(1))
    assert (result.returncode, result.stderr) == (0, "")
    result = process("nosuch", preexec_fn=lambda: os.close(2))
    assert (result.returncode, result.stdout) == (2, "")
    # Native code writes to the descriptor, which must not be that of a file.
    program = "import os, sys, seqzoo.cli\n"
    program += "try: seqzoo.cli.main(['--version'])\n"
    program += "finally: file = open(sys.argv[1], 'w'); os.write(1, b'1'); os.write(2, b'2')"
    command = [sys.executable, "-c", program, str(tmp_path / "file")]
    subprocess.run(command, cwd=ROOT, preexec_fn=lambda: os.closerange(0, 3), check=True)
    assert (tmp_path / "file").read_bytes() == b""


def test_messages_in_a_removed_folder_and_help_on_a_full_disk(tmp_path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = f"import os, sys; os.rmdir({str(gone)!r}); sys.argv[1:] = ['train', 'nope']\n"
    program += "import seqzoo.cli; seqzoo.cli.main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=gone, capture_output=True, text=True, env=environment)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
    with open("/dev/full", "w") as full:
        for words in (["--help"], ["--version"]):
            command = [sys.executable, str(ROOT / "cli.py"), *words]
            result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
            assert result.returncode == 2, result
            assert result.stderr.startswith("Error: Standard output cannot be written")


def test_a_folder_as_inputs_is_reported_before_the_model_is_loaded(trained, tmp_path) -> None:
    for path, expected in (
        (
            tmp_path,
            f"--input-file must be a file, got the folder {tmp_path}; files of images and "
            "recordings are arguments, or named by a column of a table.",
        ),
        (tmp_path / "no.csv", f"There is no file {tmp_path / 'no.csv'}."),
    ):
        message = seqzoo("predict", "no-run", "--input-file", path).stderr
        assert message == f"Error: {expected}\n"
