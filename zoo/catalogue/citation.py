"""The paper of a cell as BibTeX, from the reference in its docstring."""

import re

REFERENCE = re.compile(r'(?P<authors>[^"]+), "(?P<title>.+?)[,.]?" ?,?\s*(?P<venue>.*)')


def bibtex(name: str, reference: str) -> str:
    """A reference as a BibTeX entry; only the first paper if there are several.

    Args:
        name: the name of the cell, with which the key begins.
        reference: 'Authors, "Title", venue and year, section ...'.

    Returns:
        The entry, or "" if the reference has no title or no year.
    """
    # Papers are separated by semicolons; titles contain none.
    match = REFERENCE.match(reference.partition("; ")[0].strip())
    year = re.search(r"\b(?:19|20)\d\d\b", match["venue"]) if match else None
    if not match or not year:
        return ""
    authors = re.sub(r" et al\.?$", " and others", match["authors"].strip())
    authors = re.sub(r",? and (?!others)", ", ", authors).replace(", ", " and ")
    venue = re.split(
        r",? (?:section|sections|equation|equations|appendix|algorithm|variant)\b", match["venue"]
    )[0].rstrip(" .,")
    fields = {
        "author": authors,
        "title": f"{{{match['title'].rstrip(',.')}}}",
        "howpublished": venue,
        "year": year[0],
    }
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items()]
    return "\n".join([f"@misc{{{name}-{year[0]},", *lines, "}"])
