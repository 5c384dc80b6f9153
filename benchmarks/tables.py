"""Real data as the tables that `seqzoo train --data` reads.

python -m benchmarks.tables cmudict DATA/cmudict OUT
python -m benchmarks.tables tatoeba DATA/tatoeba_fra_eng OUT
"""

import argparse
import gzip
import pathlib
import re
import zipfile


def cmudict(source: pathlib.Path, out: pathlib.Path) -> None:
    """Words and their phonemes, without stress; a word has a line for each pronunciation."""
    lines = ["word\tphonemes"]
    with gzip.open(source / "cmudict.dict.gz", "rt", encoding="utf-8") as file:
        for line in file:
            word, *phonemes = line.partition("#")[0].split()
            word = re.sub(r"\(\d+\)$", "", word)
            lines.append(f"{word}\t{' '.join(re.sub(r'[0-9]', '', one) for one in phonemes)}")
    write(out / "cmudict.tsv", list(dict.fromkeys(lines)))


def tatoeba(source: pathlib.Path, out: pathlib.Path) -> None:
    """English sentences and their French translations; many have several."""
    with zipfile.ZipFile(source / "fra-eng.zip") as archive:
        text = archive.read("fra.txt").decode("utf-8")
    pairs = [line.split("\t")[:2] for line in text.split("\n") if line]
    write(out / "tatoeba.tsv", ["english\tfrench", *("\t".join(pair) for pair in pairs)])


def write(path: pathlib.Path, lines: list[str]) -> None:
    """One line each, and how many there are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{path}: {len(lines) - 1:,} lines")


MAKERS = {"cmudict": cmudict, "tatoeba": tatoeba}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=MAKERS)
    parser.add_argument("source", type=pathlib.Path, help="folder of the data")
    parser.add_argument("out", type=pathlib.Path, help="folder to write to")
    chosen = parser.parse_args()
    MAKERS[chosen.name](chosen.source, chosen.out)


if __name__ == "__main__":
    main()
