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
]
