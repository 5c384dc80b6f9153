"""Checks of data before training: each planted fault is found and reported with its location."""

import codecs
import gzip
import json
import random
import shlex

import numpy as np
import pytest
from cli_cases import seqzoo
from data_check_cases import check, found, labelled_texts, write
from source_cases import sound

import seqzoo.zoo as zoo
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.splits import letters_of
from seqzoo.zoo.data_check.check import DataReport
from seqzoo.zoo.data_check.column import is_number
from seqzoo.zoo.data_check.contents import is_misread
from seqzoo.zoo.data_check.report import write_page
from seqzoo.zoo.data_check.rows import LISTED_ERRORS


def test_clean_data_are_described_and_a_training_is_suggested(tmp_path) -> None:
    report = check(write(tmp_path / "a b.csv", labelled_texts()))
    assert report.guessed == {
        "input": "text",
        "kind": "words",
        "target": "label",
        "target_kind": "class",
    }
    assert not report.broken
    assert {finding.state for finding in report.findings if finding.subject == "labels"} == {"ok"}
    assert found(report, "rows", "48 training examples").values["test"] == 6
    lengths = found(report, "lengths", "words").values
    assert (lengths["minimum"], lengths["median"], lengths["maximum"]) == (7, 7, 7)
    assert report.suggestion is not None and report.suggestion.template == "many-to-one"
    assert "--kind words" in report.suggestion.command
    assert f"--data '{tmp_path}/a b.csv'" in report.suggestion.command


@pytest.mark.slow
def test_the_suggested_command_trains(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = zoo.check(write(tmp_path / "data.csv", labelled_texts()))
    assert report.suggestion is not None
    assert 0 < (report.suggestion.epoch_seconds or 0) < 60
    words = shlex.split(report.suggestion.command)
    result = seqzoo(*words[words.index("train") :], "--epochs", "1", "--units", "4", "--quiet")
    assert result.exit_code == 0, result.stderr


def test_all_malformed_rows_are_reported(tmp_path) -> None:
    rows = labelled_texts()
    rows[3]["text"] = rows[10]["text"] = ""
    rows[20]["label"] = " "
    report = check(write(tmp_path / "data.csv", rows))
    assert report.broken and report.suggestion is None
    finding = found(report, "rows", "'text' is empty")
    assert finding.state == "broken" and finding.values["lines"] == [5, 12]
    assert found(report, "rows", "'label' is empty").values["lines"] == [22]
    # The others are still examined.
    assert found(report, "rows", "45 training examples")


def test_errors_that_differ_only_in_values_are_one_finding(tmp_path) -> None:
    rows = [{"t": f"text {n}", "v": f"{n},5" if n % 2 else n} for n in range(60)]
    report = check(
        write(tmp_path / "data.csv", rows), kind="words", target_kind="value", target="v"
    )
    (finding,) = [item for item in report.findings if item.state == "broken"]
    assert finding.message == (
        "30 of 60, such as line 3: 'v' must contain numbers, but '1,5' is not a number; write a "
        "decimal point, 1.5 (lines 3, 5, 7 and 27 more)"
    )
    assert finding.values["lines"] == list(range(3, 63, 2))
    assert [finding.values["rows"], finding.values["error"][:5]] == [30, "'v' m"]


def test_rare_errors_of_rows_are_counted(tmp_path) -> None:
    numbers = ["", "5%", "x", "1,5", "1 nan", "[1", "[1, [2]]", *["", "x"] * 9]
    rows = [{"t": f"text {n}", "v": value} for n, value in enumerate([*[1] * 30, *numbers])]
    report = check(
        write(tmp_path / "data.csv", rows), kind="words", target_kind="value", target="v"
    )
    messages = [item.message for item in report.findings if item.state == "broken"]
    assert len(messages) == LISTED_ERRORS + 1
    assert messages[0].startswith(
        "10 of 55: 'v' is empty; fill it in or leave it out (lines 32, 39"
    )
    finding = found(report, "rows", "2 of 55 have 2 other errors (lines 37, 38)")
    assert finding.values == {"rows": 2, "lines": [37, 38]}


def test_errors_of_files_bytes_and_spans_are_grouped(tmp_path) -> None:
    def lines_of(name: str, part: str, **fields) -> list[int]:
        return found(check(tmp_path / name, **fields), "rows", part).values["lines"]

    for number in range(3, 20):
        sound(tmp_path / f"{number} a.wav", np.full(50, number, np.int16))
        if number < 6:
            (tmp_path / f"{number} a.wav").write_text("no sound", encoding="utf-8")
    write(
        tmp_path / "sounds.csv",
        [{"path": f"{number} a.wav", "label": number % 2} for number in range(20)],
    )
    assert lines_of("sounds.csv", "does not exist", target="label") == [2, 3, 4]
    assert lines_of("sounds.csv", "is not a WAV", target="label") == [5, 6, 7]

    lines = ["text,label", *(f"caf{'éäöü'[n] if n < 4 else 'e'} {n},{n % 2}" for n in range(40))]
    (tmp_path / "bytes.csv").write_bytes("\n".join(lines).encode("latin-1"))
    assert lines_of("bytes.csv", "is not UTF-8", target="label") == [2, 3, 4, 5]

    spans = [[0, 2, "A"], [1, 3, "B"]]
    examples = [{"text": f"Ann{n} is here", "label": spans[: 1 + (n < 4)]} for n in range(40)]
    (tmp_path / "spans.jsonl").write_text("\n".join(map(json.dumps, examples)), encoding="utf-8")
    assert lines_of("spans.jsonl", "both with the word") == [1, 2, 3, 4]


def test_equal_inputs_and_contradictions(tmp_path) -> None:
    rows = labelled_texts()
    rows.append({"text": rows[0]["text"], "label": "down"})
    rows.append(rows[1])
    report = check(write(tmp_path / "data.csv", rows))
    finding = found(report, "labels", "different targets")
    assert "line 2 and line 62" in finding.message and finding.values["examples"] == 2
    duplicates = [item for item in report.findings if item.subject == "duplicates"]
    assert sum(duplicate.values["repeated"] for duplicate in duplicates) == 2


def test_leaks_between_splits(tmp_path) -> None:
    rows = labelled_texts()
    train, test = rows[:50], rows[50:]
    test += [rows[0], {"text": rows[1]["text"].upper() + " !", "label": "down"}]
    report = check(write(tmp_path / "train.csv", train), test=write(tmp_path / "test.csv", test))
    assert found(report, "leaks", "also occurs in test").values["inputs"] == 1
    assert found(report, "leaks", "case, spaces or punctuation").values["texts"] == 1


def test_labels_are_counted_and_compared(tmp_path) -> None:
    rows = labelled_texts(100)
    for number, row in enumerate(rows):
        row["label"] = "Down " if number == 7 else "down" if number % 20 else "up"
    rows[0]["label"] = rows[20]["label"] = "Up"
    path = write(tmp_path / "data.csv", rows)
    report = check(path)
    spellings = found(report, "labels", "several ways").values["spellings"]
    assert sorted(map(sorted, spellings)) == [["Down", "down"], ["Up", "up"]]
    assert "Up" in found(report, "labels", "fewer than 5").values["rare"]
    balance = found(report, "labels", "predicting the most frequent one")
    assert balance.state == "note" and balance.values["baseline"] > 0.9


def test_labels_that_look_alike_are_shown_with_escapes(tmp_path) -> None:
    names = [
        "İzmir",
        "izmir",
        "ızmir",
        "Caf\u00e9",
        "Cafe\u0301",
        "up\u200f",
        "up",
        "a",
        "A",
        "a\u200e",
    ]
    rows = [{**row, "label": names[n % 10]} for n, row in enumerate(labelled_texts(100))]
    report = check(write(tmp_path / "data.csv", rows))
    finding = found(report, "labels", "written in several ways")
    spellings = sorted(map(sorted, finding.values["spellings"]))
    assert spellings == sorted(
        map(sorted, [names[:3], names[3:5], names[5:7], [names[7], names[9]]])
    )
    for shown in ("'İzmir' (", r"'Caf\xe9' (", r"'Cafe\u0301' (", r"'up\u200f' (", "'up' ("):
        assert shown in finding.message


def test_classes_named_like_missing_values_are_reported(tmp_path) -> None:
    names = ["up", "NULL", r"\N", "n/a", "-", "up"]
    rows = [{**row, "label": names[n % 6]} for n, row in enumerate(labelled_texts())]
    path = write(tmp_path / "data.csv", rows)
    finding = found(check(path), "labels", "may stand for missing values")
    assert finding.state == "note" and sorted(finding.values["missing"]) == ["NULL", r"\N", "n/a"]
    assert "'NULL' (16.7%)" in finding.message and r"'\N' (16.7%)" in finding.message


def test_held_out_labels_that_training_lacks(tmp_path) -> None:
    rows = labelled_texts()
    test = [{"text": "a new thing", "label": "sideways"}]
    report = check(write(tmp_path / "data.csv", rows), test=write(tmp_path / "t.csv", test))
    assert report.broken
    assert "'sideways' (line 2)" in found(report, "labels", "does not occur").message


def test_columns_that_leak_the_label(tmp_path) -> None:
    rows = labelled_texts()
    for number, row in enumerate(rows):
        row |= {"code": number % 2, "id": number, "noise": number % 3}
    rows[1]["noise"] = 2
    report = check(write(tmp_path / "data.csv", rows))
    leaks = [
        finding.values.get("columns") for finding in report.findings if finding.subject == "leaks"
    ]
    assert leaks == [["code"]]
    for row in rows:
        row["text"] += f" {row['label']}"
    report = check(write(tmp_path / "told.csv", rows))
    assert found(report, "leaks", "their own label").values["share"] == 1


@pytest.mark.parametrize(
    "names, pattern, shares",
    [
        (("sport", "politics"), "all of {}, today", [1]),
        (("sport", "politics"), "today ({}).", [1]),
        (("Science Fiction", "True  crime"), "read:  {}!", [1]),
        (("sci-fi", "non_fiction"), "read “{}”", [1]),
        (("C++", "Java"), "all in {}.", [1]),
        (("sport", "politics"), "all {}s", []),
        (("C#", "F#"), "all in {}.", []),
    ],
)
def test_labels_within_texts_are_found_next_to_punctuation(
    tmp_path, names, pattern, shares
) -> None:
    rows = [{**row, "label": names[n % 2]} for n, row in enumerate(labelled_texts())]
    for row in rows:
        row["text"] += f" {pattern.format(row['label'])}"
    report = check(write(tmp_path / "data.csv", rows))
    told = [item.values["share"] for item in report.findings if "own label" in item.message]
    assert told == shares


def test_columns_of_numbers_that_leak_a_class_that_is_a_number(tmp_path) -> None:
    rows = [
        {"text": f"a story {n}", "label": n % 3, "code": (7, 3, 5)[n % 3], "noise": n % 7}
        for n in range(100)
    ]
    rows[5]["code"] = 7
    report = check(write(tmp_path / "data.csv", rows), input="text", target="label")
    finding = found(report, "leaks", "'label' follows from column 'code' in 99.0% of rows")
    assert finding.values["columns"] == ["code"]


def test_columns_that_leak_the_target_are_one_finding(tmp_path) -> None:
    rows = [
        {"text": f"a story {n}", "y": n % 7 / 2, "code": f"c{n % 7}", "key": f"k{n % 7}"}
        | {f"V{k}": k * (n % 7) for k in range(1, 9)}
        for n in range(60)
    ]
    report = check(write(tmp_path / "data.csv", rows), input="text", target="y")
    scaled = found(report, "leaks", "8 columns ('V1', 'V2', 'V3', 'V4', 'V5', ...) are the target")
    assert scaled.values["columns"][-1] == "V8" and scaled.fix.startswith("leave them out")
    pure = found(report, "leaks", "2 columns ('code', 'key') in at least 100.0% of rows")
    assert pure.values["shares"] == {"code": 1.0, "key": 1.0}


def test_encodings_and_markup(tmp_path) -> None:
    rows = labelled_texts()
    rows[2]["text"] += " caf\u00c3\u00a9"
    rows[4]["text"] += " \ufffd"
    rows[6]["text"] += " <br>"
    rows[8]["text"] += " e\u0301"
    rows[12]["text"] += " \u0430\u0431\u0432"
    report = check(write(tmp_path / "data.csv", rows), validation=0, test=0)
    for part in ("U+FFFD", "another encoding", "markup", "composed form"):
        assert found(report, "characters", part).values["texts"] == 1, part
    scripts = found(report, "characters", "distinct").values["scripts"]
    assert scripts["Cyrillic"] == 3 and max(scripts, key=scripts.get) == "Latin"


@pytest.mark.parametrize(
    "text, encoding",
    [
        ("привет мир", "latin-1"),
        ("привет мир", "cp1251"),
        ("a word in Ukrainian: їжак", "cp1252"),
        ("مرحبا", "latin-1"),
        ("שלום", "cp1252"),
        ("καλημέρα", "cp1251"),
        ("नमस्ते", "latin-1"),
        ("你好吗", "cp1252"),
        ("žluťoučký kůň", "cp1250"),
        ("żółw ślimak", "latin-1"),
        ("nice 😀", "cp1252"),
        ("old — new", "cp1252"),
    ],
)
def test_utf8_decoded_as_another_encoding_is_found(text, encoding) -> None:
    # Bytes without a character are decoded as control characters.
    misread = "".join(
        bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode()
    )
    assert is_misread(f"a {misread}.") and not is_misread(f"a {text}.")
    assert not is_misread(text.upper()) and not is_misread(f"«{text}…»")


@pytest.mark.parametrize(
    "text",
    [
        "Її очі, КИЇВ, ПІД, Пі, Лі та Рі — „так“…",
        "ЊЕГОШ је писао: „Љубав“, ћирилица и ђаци",
        "Ísland, Ð og Þ: ÞAÐ „ER“ SVO… Ð°",
        "Tiếng Việt: Đây là một câu ví dụ",
        "Il dit : «\u00a0là\u00a0» et « déjà\u00a0! », CAFÉ… 20\u00a0°C",
        "PÓŁ STOŁU, ŻÓŁĆ, źdźbło…",
        "İstanbul’da ÇAĞRI, Şişli",
        "São Paulo, NÃO, IRMÃ; ação",
        "العربية، ١٢٣",
    ],
)
def test_texts_in_many_languages_are_not_misread(text) -> None:
    assert not is_misread(text) and not is_misread(text.upper())
    assert not any(map(is_misread, text.split()))


def test_scripts_are_those_of_plain_letters(tmp_path) -> None:
    rows = [{**row, "text": row["text"] + " 5 µm 1º 2ª ｱー Ａ 々 ʻ"} for row in labelled_texts()]
    report = check(write(tmp_path / "data.csv", rows))
    scripts = found(report, "characters", "distinct").values["scripts"]
    assert scripts.keys() == {"Latin", "Greek", "Katakana", "Han"}


def test_labels_that_do_not_occur_in_test_are_listed(tmp_path) -> None:
    rows = [(f"text {n} of many", "abc"[n % 3 if n < 40 else 0], n) for n in range(60)]
    lines = [f"{text},{label},{'train' if n < 40 else 'test'}" for text, label, n in rows]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["text,label,split", *lines]))
    findings = check(str(path)).findings
    (finding,) = [item for item in findings if "untested" in item.values]
    assert finding.message == "2 of 3 do not occur in test: b, c"


def test_unknown_words_of_held_out_texts(tmp_path) -> None:
    rows = [{"text": "red blue", "label": str(number % 2)} for number in range(20)]
    for number, row in enumerate(rows):
        row["text"] = ("red blue green", "green red blue", "blue blue red")[number % 3]
    test = [{"text": "red blue purple pink", "label": "0"}]
    report = check(
        write(tmp_path / "data.csv", rows),
        kind="words",
        target_kind="class",
        input="text",
        target="label",
        validation=0,
        test=write(tmp_path / "t.csv", test),
        duplicates="keep",
    )
    assert found(report, "vocabulary", "50.00% of the words in test are").values == {
        "shares": {"test": 0.5}
    }


def test_targets_that_do_not_fit_their_inputs(tmp_path) -> None:
    rows = [{"text": "ACGTA"[n % 3 :], "tags": "IEIEI"[n % 3 :]} for n in range(20)]
    report = check(
        write(tmp_path / "data.csv", rows),
        kind="characters",
        input="text",
        target="tags",
        target_kind="tags",
    )
    finding = found(report, "targets", "There must be one tag per step, but line ")
    assert finding.state == "broken" and "separate the tags by spaces" in finding.message
    assert report.suggestion is None


def test_inputs_that_do_not_fit_together(tmp_path) -> None:
    rows = [{"x": "[[1, 2]]" if n else "[[1, 2, 3]]", "y": n % 2} for n in range(20)]
    path = write(tmp_path / "data.csv", rows)
    report = check(path, kind="series", input="x", target="y", target_kind="class")
    assert found(report, "inputs", "has 2 numbers per step, expected 3").state == "broken"
    result = seqzoo("check", path, "--kind", "series", "--input", "x", "--target", "y")
    assert result.exit_code == 1 and "BROKEN  inputs: " in result.output


def test_images_of_several_sizes_are_resized_by_the_suggested_training(tmp_path) -> None:
    rows = [
        {"x": json.dumps((np.eye(3 if n % 3 else 4, 5) + n).tolist()), "y": "ab"[n % 2]}
        for n in range(20)
    ]
    report = check(write(tmp_path / "data.csv", rows), kind="rows", input="x", target="y")
    finding = found(report, "images", "2 different sizes; the most frequent one is 3 x 5, 65.0%")
    assert finding.state == "note" and "--image-size 3,5" in finding.fix
    assert report.suggestion is not None and not report.broken
    assert " --image-size 3,5 " in report.suggestion.command


@pytest.mark.parametrize("unit", ["", "e-16"])
def test_numbers_that_stand_out(tmp_path, unit: str) -> None:
    draw = np.random.default_rng(0)
    rows = [
        {
            "series": " ".join(f"{item:.3f}{unit}" for item in draw.normal(size=5)),
            "y": f"{number}.5{unit}",
        }
        for number in range(40)
    ]
    rows[3]["series"] = f"-999{unit} 0 0 0 0"
    rows[5]["series"] = " ".join([f"2{unit}"] * 5)
    rows[7]["y"] = f"100000{unit}"
    report = check(write(tmp_path / "data.csv", rows), validation=0, test=0)
    assert report.source.kind == "series" and report.source.target_kind == "value"
    assert f"{float('-999' + unit):g}" in found(report, "numbers", "interquartile").message
    assert "line 7" in found(report, "numbers", "constant").message
    assert "line 9" in found(report, "targets", "interquartile").message


def test_empty_lines_of_a_text_are_left_out_as_in_training(tmp_path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(f"line {number}" for number in range(20)))
    report = check(path, kind="characters", target_kind="next")
    assert "16 training examples" in found(report, "rows", "training examples").message
    with pytest.raises(SeqzooError, match="`target` names a column, and .* has none"):
        check(path, kind="characters", target_kind="next", target="x")


def test_the_reason_why_no_row_can_be_read_is_given(tmp_path) -> None:
    text = "text,label\n" + "".join(f"café {n},{n % 2}\n" for n in range(60))
    (tmp_path / "latin.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SeqzooError, match=r"no rows .* \(text, label\): line 2 is not UTF-8"):
        check(str(tmp_path / "latin.csv"))
    (tmp_path / "ragged.csv").write_text(text.replace("café", "tea, coffee"))
    with pytest.raises(SeqzooError, match="line 2 has 3 fields, expected 2"):
        check(str(tmp_path / "ragged.csv"))


@pytest.mark.parametrize(
    "content, message",
    [
        ("café".encode("latin-1"), "No row of .* can be read: line 1 is not UTF-8: byte 4 is 0xe9"),
        (
            gzip.compress(b"text", mtime=0),
            "No row of .* can be read: line 1 is not UTF-8: byte 2 is 0x8b",
        ),
        (codecs.BOM_UTF8, "text.txt is empty"),
        (codecs.BOM_UTF8 + b"\n", "text.txt is empty"),
        ("\u3000\n".encode(), "text.txt is empty"),
    ],
)
def test_a_text_without_readable_lines_is_refused(tmp_path, content, message) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(SeqzooError, match=message):
        check(tmp_path / "text.txt")


def test_lines_of_a_text_that_cannot_be_read_are_reported(tmp_path) -> None:
    (tmp_path / "text.txt").write_bytes("first\ncafé\n\nlast\n".encode("latin-1"))
    finding = found(check(tmp_path / "text.txt"), "rows", "not UTF-8")
    assert "1 of 3: is not UTF-8: byte 4 is 0xe9 (line 2)" in finding.message


def test_an_unknown_field_is_named(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="got 'inptu'; did you mean 'input'?"):
        check(write(tmp_path / "data.csv", labelled_texts()), inptu="text")


def test_a_preset(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="upos-tagger needs your own data"):
        zoo.check("upos-tagger")


def test_command(tmp_path) -> None:
    path, page = write(tmp_path / "data.csv", labelled_texts()), tmp_path / "page.html"
    result = seqzoo("check", path, "--no-timing", "--html", page)
    assert result.exit_code == 0
    assert (
        "note    rows: 48 training examples, 6 validation examples, 6 test examples\n"
        in result.stdout
    )
    assert result.stdout.splitlines()[-1].startswith("  ")
    written = page.read_text(encoding="utf-8")
    assert "48 training examples" in written and "http" not in written
    report = json.loads(seqzoo("check", path, "--no-timing", "--json").stdout)
    assert report["healthy"] and report["suggestion"]["template"] == "many-to-one"
    rows = labelled_texts()
    rows[0]["text"] = ""
    result = seqzoo("check", write(tmp_path / "bad.csv", rows), "--no-timing")
    assert result.exit_code == 1 and "BROKEN  rows: 1 of 60: 'text' is empty" in result.stdout
    result = seqzoo("check", tmp_path)
    assert result.exit_code == 2 and "set it with --kind" in result.stderr
    assert seqzoo("check", tmp_path / "none.csv").exit_code == 2


def test_words_from_right_to_left_do_not_reorder_the_page(tmp_path) -> None:
    rows = [
        {**row, "label": ("العربية", "ע ברית")[row["label"] == "up"]} for row in labelled_texts()
    ]
    report = check(write(tmp_path / "data.csv", rows))
    assert found(report, "labels", "ע ברית 50.0%, العربية 50.0%")
    write_page(report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<bdi>ע ברית</bdi> 50.0%, <bdi>العربية</bdi> 50.0%" in page


def test_options_are_those_of_training(tmp_path) -> None:
    rows = [{"at": f"2020-01-{day:02}", "value": day, "MULL": day % 3} for day in range(1, 29)]
    path = write(tmp_path / "data.csv", rows)
    chosen = {"kind": "series", "input": "value", "whole": True}
    report = check(path, **chosen, target_kind="next", time_column="at")
    assert "target" not in report.guessed and report.source.time_column == "at"
    texts = write(tmp_path / "texts.csv", labelled_texts())
    assert found(check(texts, limit=10), "rows", "10 training examples")
    with pytest.raises(SeqzooError, match=r"`input` must name a column \(text, label\), got 'txt'"):
        check(texts, input="txt")
    (tmp_path / "head.csv").write_text("text,label\n")
    with pytest.raises(SeqzooError, match="has no rows that can be read"):
        check(str(tmp_path / "head.csv"))
    result = seqzoo("check", texts, "--html", tmp_path / "none" / "page.html")
    assert result.exit_code == 2 and not result.stdout


def test_a_few_values_of_another_kind_do_not_stop_the_check(tmp_path) -> None:
    rows: list[dict] = labelled_texts(100)
    for number, row in enumerate(rows):
        row["day"] = f"2024-01-{number % 28 + 1:02}" if number != 7 else "unknown"
        row["size"] = str(number / 7) if number != 9 else "n/a"
    rows[11]["day"] = "2024-02-31"
    report = check(write(tmp_path / "t.csv", rows), input="text", target="label")
    assert any("2 of its values are not dates" in item.message for item in report.findings)
    numbers = check(write(tmp_path / "n.csv", [{**row, "label": row["size"]} for row in rows]))
    assert isinstance(numbers, DataReport)
    assert not is_number(10**400)


def test_vowel_signs_distinguish_texts(tmp_path) -> None:
    draw, rows = random.Random(0), []
    for number in range(40):
        text = " ".join(
            draw.choices(["\u0915\u093e\u092e", "\u0928\u093e\u092e", "\u0930\u093e\u091c"], k=9)
        )
        rows.append({"text": f"{text} {number}", "label": "ab"[number % 2], "part": "train"})
        other = rows[-1]["text"].replace("\u093e", "\u0940")
        rows.append({"text": other, "label": "ab"[number % 2], "part": "test"})
    report = check(write(tmp_path / "a.csv", rows), split_column="part")
    assert not [item for item in report.findings if "only in case" in item.message]
    assert letters_of("E\u0301t\u00e9-1!\ufe0f") == "\u00e9t\u00e91" and letters_of("\ufe0f!") == ""


@pytest.mark.parametrize(
    "one, other",
    [
        ("great 😀", "great 😡"),
        ("C++", "C#"),
        ("C#", "C"),
        ("5 €", "5$"),
        ("at -3 degrees", "at 3 degrees"),
        ("1.5", "15"),
        ("x²", "x2"),
        ("50%", "50"),
    ],
)
def test_symbols_distinguish_texts(one, other) -> None:
    assert letters_of(one) != letters_of(other)
    assert letters_of(f"A {one}!") == letters_of(f"a-{one.upper()} .")


def test_several_labels_have_no_order(tmp_path) -> None:
    rows = [{**row, "label": "a|b"} for row in labelled_texts()]
    rows += [{**row, "label": "b|a"} for row in rows]
    report = check(
        write(tmp_path / "a.csv", rows),
        input="text",
        kind="words",
        target="label",
        target_kind="labels",
        separator="|",
        duplicates="keep",
    )
    assert not [item for item in report.findings if "different targets" in item.message]
    finding = found(report, "labels", "2 different labels")
    assert "100.0% of the examples have the most frequent one" in finding.message
    assert finding.values["baseline"] == 1


def test_infinite_numbers_hide_no_leak(tmp_path) -> None:
    rows = [{**row, "label": n, "copy": 2 * n + 1} for n, row in enumerate(labelled_texts())]
    rows[7]["copy"] = "inf"
    path = write(tmp_path / "a.csv", rows)
    report = check(path, input="text", kind="words", target="label", target_kind="value")
    assert found(report, "leaks", "column 'copy' is the target 'label' up to scale")


def test_an_option_is_advised_only_if_the_template_has_it(tmp_path) -> None:
    path = tmp_path / "a.conll"
    rows = ["red\tA", "blue\tB"]
    sentences = [[f"w{n}\tA", *rows * (150 if n % 100 == 0 else 2)] for n in range(300)]
    path.write_text("\n\n".join(map("\n".join, sentences)) + "\n")
    report = check(str(path))
    finding = found(report, "lengths", "99% have at most")
    assert finding.values["maximum"] == 301 and not finding.fix
