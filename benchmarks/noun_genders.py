"""Adds the genders of nouns to a table of German inflection, as a dictionary has them.

    pip download --no-deps german-nouns && unzip german_nouns-*.whl
    python -m benchmarks.noun_genders german_nouns/nouns.csv german-train-high.tsv german-gender.tsv

The package german-nouns has the nouns of the German Wiktionary (CC BY-SA 4.0). Only their genders
are used. A compound that is not in the list has the gender of the longest noun at its end that is.
The features `N;ACC;PL` of a feminine noun become `N;ACC;PL;FEM`; a noun with several genders gets
all of them.
"""

import argparse
import csv
import pathlib

GENDERS = {"m": "MASC", "f": "FEM", "n": "NEUT"}
COLUMNS = ("genus", "genus 1", "genus 2", "genus 3", "genus 4")
SHORTEST = 3
"""Minimum number of letters of the noun at the end of a compound."""


def read_genders(path: pathlib.Path) -> dict[str, set[str]]:
    """The genders of each noun."""
    genders: dict[str, set[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = {GENDERS[row[column]] for column in COLUMNS if row[column] in GENDERS}
            if known:
                genders.setdefault(row["lemma"], set()).update(known)
    return genders


def genders_of(lemma: str, genders: dict[str, set[str]]) -> list[str]:
    """The genders of a noun, in alphabetical order; none if they are unknown."""
    ends = (lemma[start:].capitalize() for start in range(1, len(lemma) - SHORTEST + 1))
    known = next((genders[noun] for noun in (lemma, *ends) if noun in genders), set())
    return sorted(known)


def main() -> None:
    """Writes the table with genders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("nouns", type=pathlib.Path, help="nouns.csv of the package german-nouns")
    parser.add_argument("table", type=pathlib.Path, help="lemma, form and features per line")
    parser.add_argument("out", type=pathlib.Path, help="table to write")
    args = parser.parse_args()
    genders, lines, nouns, found = read_genders(args.nouns), [], 0, 0
    for line in args.table.read_text(encoding="utf-8").splitlines():
        lemma, form, features = line.split("\t")
        if features.split(";")[0] == "N":
            known = genders_of(lemma, genders)
            nouns, found = nouns + 1, found + bool(known)
            features = ";".join([features, *known])
        lines.append(f"{lemma}\t{form}\t{features}\n")
    args.out.write_text("".join(lines), encoding="utf-8")
    print(f"{args.out}: the genders of {found:,} of {nouns:,} forms of nouns")


if __name__ == "__main__":
    main()
