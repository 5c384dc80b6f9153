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
            "if not self.inputs:": "if False:",
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
        {'if source.fold and name == "validation" else None': "if False else None"},
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
        "tasks/data/cache.py",
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
]
