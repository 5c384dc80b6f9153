"""Tables and files with very many names, of which messages list the first few."""

from typing import Any

import numpy as np
import pytest
from cli_cases import seqzoo

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.npz_arrays import Arrays
from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.source import Source

NAMES = [f"c{n}" for n in range(400)]
SOME = "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 388 more"


@pytest.mark.parametrize("options", [{}, {"input": "x"}, {"input": "c0", "target": "x"}])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_an_error_lists_some_columns(options, ending, tmp_path) -> None:
    path = tmp_path / f"wide.{ending}"
    if ending == "csv":
        path.write_text("\n".join([",".join(NAMES), ",".join(["1"] * 400)]) + "\n")
    else:
        path.write_text("{" + ", ".join(f'"{name}": 1' for name in NAMES) + "}\n")
    with pytest.raises(SeqzooError) as error:
        open_source(Source(str(path), "words", "class", **options))
    assert SOME in str(error.value) and len(str(error.value)) < 400
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    result = seqzoo("check", path, "--kind", "words", "--no-timing", *flags)
    assert len(result.output) < 1500


def test_an_error_lists_some_arrays(tmp_path) -> None:
    arrays: dict[str, Any] = {name: np.zeros(1) for name in NAMES}
    np.savez(tmp_path / "x.npz", **arrays)
    with Arrays(tmp_path / "x.npz") as opened, pytest.raises(SeqzooError) as error:
        opened.find("x", "input", ())
    assert SOME in str(error.value) and len(str(error.value)) < 400
