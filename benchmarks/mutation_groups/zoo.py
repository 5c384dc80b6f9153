"""The mutations of files in zoo/."""

from benchmarks.mutation_groups.group import Group

GROUPS = [
    Group(
        "zoo/data/splits.py",
        "tests/zoo/test_split_properties.py tests/zoo/test_sources.py",
        "properties or label or limit or shares",
        {
            "while start < end < count and": "while False and",
            "(digests[index], index)": "(index,)",
            "salt=salt).digest() for key in": 'salt=b"0").digest() for key in',
            "np.concatenate([train, held[back]])": "train",
            '("test", "validation", "train")': '("train", "validation", "test")',
        },
    ),
    Group(
        "zoo/data/splits.py",
        "tests/zoo/test_stored_tables.py",
        "same_splits",
        {"salt=salt).digest() for key in": 'salt=b"1").digest() for key in'},
    ),
    Group(
        "zoo/hyperparameters/search.py",
        "tests/zoo/test_search.py",
        "killed_search_continues",
        {'content.rfind(b"\\n") + 1': "len(content)"},
    ),
    Group(
        "zoo/data/several_files.py",
        "tests/zoo/test_several_files.py",
        "pattern or errors or paths",
        {
            "locations.begin(file)": "locations.begin(first)",
            "if of_paths and other is not None": "if of_paths and other is None",
            "record._replace(number=locations.add(record.number))": "record",
        },
    ),
    Group(
        "zoo/data/hugging_face.py",
        "tests/zoo/test_several_files.py",
        "hugging or damaged",
        {
            "or pathlib.Path(name).name != name": "",
            "(folder / name, name)": "(folder / name, None)",
        },
    ),
    Group(
        "zoo/inference/prediction_file.py",
        "tests/zoo/test_prediction_file.py",
        "",
        {
            "opened.truncate()": "pass",
            "opened.seek(self._size)": "pass",
            "skip=self.inputs, complete": "skip=0, complete",
            "if not self.inputs:  # nothing to continue": "if False:  # nothing to continue",
            "if not self.inputs:  # without a record": "if False:  # without a record",
            'known["settings"] != self.settings': "False",
        },
    ),
    Group(
        "zoo/data/arrow_tables.py",
        "tests/zoo/test_hostile_files.py",
        "offsets",
        {".view(binary)).validate(full=True)": ".view(binary)).validate()"},
    ),
    Group(
        "zoo/data/arrow_tables.py",
        "tests/zoo/test_table_chunks.py",
        "chunks_are_the_records or not_unicode",
        {
            "column.validate(full=True)  # also": "column.validate()  # also",
            "bounds[1:] - start": "bounds[1:]",
            "or column.null_count or": "or",
        },
    ),
    Group(
        "zoo/data/json_lines.py",
        "tests/zoo/test_table_chunks.py",
        "chunks",
        {
            "if end != len(line):": "if not end:",
            "        count += len(lines)": "        count += len(numbers)",
        },
    ),
    # What a review of reading and serving found.
    Group(
        "zoo/data/open.py",
        "tests/zoo/test_repeat.py",
        "validation_file",
        {'source.fold and name == "validation"': "False"},
    ),
    Group(
        "zoo/data/source.py",
        "tests/zoo/test_several_files.py tests/zoo/test_sources.py",
        "brackets or other_data",
        {
            "os.path.join(glob.escape(os.getcwd()), expanded)": "os.path.abspath(expanded)",
            "if isinstance(getattr(self, name), str)]": "if False]",
        },
    ),
    Group(
        "zoo/data/records.py",
        "tests/zoo/test_hostile_files.py",
        "compressed",
        {
            "packed.tell() * MAX_COMPRESSION_RATIO": "PROBED_BYTES * 200",
            "while packed.tell() < PROBED_BYTES and": "while",
        },
    ),
    Group(
        "zoo/serving/guard.py",
        "tests/zoo/test_serving.py",
        "metadata_and_counts or origins",
        {"status not in (404, 405)": "status != 404"},
    ),
    Group(
        "tasks/unfinished.py",
        "tests/zoo/test_stored_tables.py",
        "other_machines or killed",
        {
            "time.time() - newest < ABANDONED_SECONDS": "False",
            "return _is_running(process)": "pass",
        },
    ),
    Group(
        "tasks/runs/session.py",
        "tests/tasks/test_runs.py",
        "maximum_length",
        {"self._check_limit(-(-(len(self._samples) + len(samples)) // features.hop))": "pass"},
    ),
    Group(
        "tasks/preprocessing/value_transforms.py",
        "tests/tasks/test_forecast.py",
        "needs_counts",
        {"(values < 0) | (values % 1 != 0)": "(values < 0)"},
    ),
    Group(
        "tasks/data/cache.py",
        "tests/zoo/test_stored_tables.py",
        "listed_and_cleared",
        {
            "if not (ENTRY.fullmatch(folder.name) and folder.is_dir())": "if not folder.is_dir()",
            "if ENTRY.fullmatch(path.name) and not": "if not",
        },
    ),
    Group(
        "zoo/data/histories.py",
        "tests/zoo/test_date_tables.py",
        "typo or several_files",
        {
            "if _nearly_all_numbers(table, name, bool(source.decimal_comma)):": "if False:",
            "return self.records.location(self.numbers[row])": (
                'return f"{self.name}, {self.records.unit} {self.numbers[row]}"'
            ),
        },
    ),
    Group(
        "zoo/inference/forecasts.py",
        "tests/zoo/test_date_tables.py",
        "another_frequency or known_covariates",
        {
            "2 * present.sum() < history.end and": "False and",
            "math.ceil(steps / self.run.template.horizon)": "1",
        },
    ),
    Group(
        "zoo/inference/evaluate.py",
        "tests/zoo/test_prediction_options.py",
        "evaluated_in_full",
        {
            'stored.of_other_data(given["data"])': 'replace(stored, data=given["data"])',
        },
    ),
    Group(
        "zoo/inference/prediction_lines.py",
        "tests/zoo/test_prediction_options.py",
        "not_the_fault",
        {"if error.field in DECODING:": "if False:"},
    ),
    Group(
        "zoo/inference/options.py",
        "tests/zoo/test_prediction_options.py",
        "without_effect or several_predictions",
        {
            'if seed is not None and method != "sample"': "if False",
            'template.target == "tags" and not template.crf': 'template.target == "tags"',
        },
    ),
    Group(
        "zoo/inference/surface_words.py",
        "tests/zoo/test_raw_tags.py",
        "printed_with_its_tags",
        {
            "or text[end].isspace()": "or True",
            "results.append((text[position:end],": "results.append((word,",
        },
    ),
    Group(
        "zoo/stopping.py",
        "tests/zoo/test_stopping.py",
        "swallows",
        {
            "repetition.start()": "pass",
        },
    ),
    Group(
        "zoo/data_check/dated_columns.py",
        "tests/zoo/test_data_check_dates.py",
        "dates",
        {
            'return error.field == "date_format"': "return False",
            "and len(set(zip(dates, map(str, column.values), strict=True))) == len(dates)": "",
        },
    ),
    Group(
        "zoo/data_check/word_columns.py",
        "tests/zoo/test_inferred_columns.py",
        "one_word_per_row",
        {"len(values) >= WORDS * begins": "True"},
    ),
    Group(
        "zoo/hyperparameters/search.py",
        "tests/zoo/test_search.py",
        "epochs_may_be_searched",
        {'self._values(trial.params).get("epochs"': 'trial.params.get("epochs"'},
    ),
    Group(
        "zoo/data/examples.py",
        "tests/zoo/test_audio.py",
        "further_inputs",
        {"fixed = replace(source, sample_rate=rate)": "fixed = source"},
    ),
    Group(
        "zoo/serving/protocol.py",
        "tests/zoo/test_serving.py",
        "complete_headers",
        {"self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)": "pass"},
    ),
    Group(
        "zoo/serving/model.py",
        "tests/zoo/test_serving.py",
        "maximum_of_tokens",
        {"return self._limited(options)": "return options"},
    ),
    Group(
        "zoo/data/splits.py",
        "tests/zoo/test_data_check.py",
        "vowel",
        {'(inside and category == "M")': "False"},
    ),
    Group(
        "zoo/data_check/overlaps.py",
        "tests/zoo/test_data_check.py",
        "no_order",
        {"labels if in_order else sorted(labels)": "labels"},
    ),
    Group(
        "zoo/hyperparameters/search.py",
        "tests/zoo/test_search.py",
        "interrupted_trial",
        {"_suggest(trial, name, distribution)\n": "pass\n"},
    ),
    Group(
        "zoo/output.py",
        "tests/zoo/test_lines.py",
        "quote_line_breaks",
        {'lineterminator="\\r\\n"': 'lineterminator="\\n"'},
    ),
    Group(
        "zoo/data/several_files.py",
        "tests/zoo/test_several_files.py",
        "without_rows or whole",
        {
            "except NoRows as error:": "except ZeroDivisionError as error:",
            "if request.source.whole and not opened.columns:": "if False:",
        },
    ),
    Group(
        "zoo/data/histories.py",
        "tests/zoo/test_date_tables.py",
        "smallest or notes or underscores",
        {
            "max(round(size * steps), int(size > 0))": "round(size * steps)",
            "sorted(rows.items())[: source.limit]": "sorted(rows.items())",
            "item.values[: item.end].size": "item.values.size",
            'None if "_" in text else float(text)': "float(text)",
        },
    ),
    Group(
        "zoo/data/histories.py",
        "tests/zoo/test_several_files.py",
        "addresses",
        {"path = pathlib.Path(local(source.data))": "path = pathlib.Path(source.data)"},
    ),
    Group(
        "tasks/data/column_names.py",
        "tests/zoo/test_column_names.py",
        "",
        {
            "if text in known:": "if False:",
            "plain.strip() if quoted is None": "plain.strip() if plain",
        },
    ),
    Group(
        "zoo/inference/backtest.py",
        "tests/zoo/test_date_tables.py",
        "format_of_the_table",
        {", date_format=None, timezone=None)": ")"},
    ),
    Group(
        "zoo/data_check/rows.py",
        "tests/zoo/test_class_folders.py",
        "texts_in_folders",
        {"source = with_stored_splits(source.absolute())": "source = source.absolute()"},
    ),
    Group(
        "zoo/data_check/rows.py",
        "tests/zoo/test_several_files.py",
        "check",
        {
            "folder = folder_of_fields(files, source)": "folder = pathlib.Path(path).parent",
            "    formats.check_delimited(path, source)\n": "",
        },
    ),
    Group(
        "zoo/data/source.py",
        "tests/zoo/test_sources.py",
        "other_data",
        {
            "if not may_be_delimited(data):": "if False:",
            'dropped += ["storage", "limit", "fold"]': "pass",
        },
    ),
    Group(
        "zoo/config/resolve.py",
        "tests/zoo/test_presets.py",
        "fine_tuning",
        {"        source = base.source\n": '        source = Source("", **kinds_of(task))\n'},
    ),
    Group(
        "zoo/config/resolve.py",
        "tests/zoo/test_training_plans.py",
        "absolute",
        {"os.path.abspath(expanded) if os.path.exists(expanded) else path": "path"},
    ),
    Group(
        "zoo/training/train.py",
        "tests/zoo/test_training_plans.py",
        "free_folder or hide or state",
        {
            "max(existing, key=created)": "max(existing)",
            "if name not in given and ": "if ",
            "for name in FREE_TO_CHANGE}": "for name in ()}",
            'INFERRED = ("input", "target", "frequency",': (
                'INFERRED = ("limit", "input", "target", "frequency",'
            ),
        },
    ),
    Group(
        "zoo/inference/prediction_lines.py",
        "tests/zoo/test_prediction_lines.py",
        "",
        {
            "{item.number: first + index for": "{item.number: index for",
            "json.dumps(finite(reply)": "json.dumps((reply)",
            'attention is not None and method == "sample"': 'method == "none"',
        },
    ),
    Group(
        "zoo/data/delimited.py",
        "tests/zoo/test_tables.py",
        "excel",
        {
            '(named and named["delimiter"])': "None",
            "    if named:\n        next(rows)\n": "",
            "            yield None\n            return\n": "            pass\n",
        },
    ),
    Group(
        "zoo/data_check/columns.py",
        "tests/zoo/test_inferred_columns.py",
        "inferred",
        {
            "readable = readable[:1]": "readable = readable",
            "len(set(labels)) < len(set(fields)) or has": "has",
            "repeated <= COMMON_WORDS * len(tags)": "True",
            "if column.are_few_whole_numbers] or alike": "] or alike",
        },
    ),
    Group(
        "zoo/data/series_rows.py",
        "tests/zoo/test_series_rows.py",
        "rows",
        {
            "            if value != first:": "            if False:",
            "if target_kind in OF_STEPS else []": "if False else []",
            "by_step = {TIME, *": "by_step = {*",
        },
    ),
    Group(
        "zoo/data_check/encoded.py",
        "tests/zoo/test_data_check.py",
        "do_not_fit",
        {"    yield from _rejected(parts, task)\n": ""},
    ),
    Group(
        "zoo/data/class_folders.py",
        "tests/zoo/test_class_folders.py",
        "folders",
        {
            'kinds = {IMAGES: "rows", RECORDINGS: "audio"}': 'kinds = {IMAGES: "rows"}',
            "if suffixes is TEXTS:\n            text": "if False:\n            text",
            "file.parent.parent.name": "file.parent.name",
        },
    ),
    Group(
        "zoo/inference/attention_text.py",
        "tests/zoo/test_prediction_lines.py",
        "empty",
        {" if item.weights.size else None": ""},
    ),
]
