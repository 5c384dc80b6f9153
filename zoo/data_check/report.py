"""The report of a check, as lines and as a page."""

import html
import pathlib
import re

from seqzoo.tasks.atomic_files import replacing
from seqzoo.zoo.data_check.check import DataReport

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
li { margin: .5rem 0; overflow-wrap: anywhere; }
ul { padding: 0; list-style: none; }
.state { display: inline-block; min-width: 4.5rem; font-weight: 600; }
.note .state { color: #b36b00; } .broken .state { color: #c62828; } .ok .state { color: #2e7d32; }
.fix { margin-left: 4.5rem; opacity: .8; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: 6px; }
@media (max-width: 30rem) { .fix { margin-left: 0; } }
"""

RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001eeff"
"""The blocks of scripts that are written from right to left, as a part of a regular expression."""


def conclusion(report: DataReport) -> str:
    """A summary of the findings, and the suggested command."""
    notes = sum(finding.state == "note" for finding in report.findings)
    if report.suggestion is None:
        return "Training would fail; correct what is broken and check again."
    summary = f"{notes} note{'s' * (notes != 1)} to look at. " if notes else "Nothing stands out. "
    duration = _duration(report)
    return f"{summary}Suggested first training run{duration}:\n  {report.suggestion.command}"


def write_page(report: DataReport, path: pathlib.Path) -> None:
    """Writes the report as a self-contained HTML page."""
    title = f"Check of {report.source.data}"
    items = "\n".join(
        f'<li class="{finding.state}"><span class="state">{finding.state}</span>'
        f"<b>{_isolated(finding.subject)}</b>: {_isolated(finding.message)}"
        + (f'<div class="fix">{_isolated(finding.fix)}</div>' if finding.fix else "")
        + "</li>"
        for finding in report.findings
    )
    first = "<p>Training would fail; correct what is broken and check again.</p>"
    if report.suggestion is not None:
        first = (
            f"<p>Suggested first training run{html.escape(_duration(report))}:</p>"
            f"<pre>{_isolated(report.suggestion.command)}</pre>"
        )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body><h1>{_isolated(title)}</h1>\n<ul>\n{items}\n</ul>\n"
        f"{first}\n</body></html>\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _isolated(text: str) -> str:
    """A text in HTML in which words that are written from right to left do not change the order of
    the numbers and the punctuation around them."""
    words = rf"[{RIGHT_TO_LEFT}]+(?:[ \u200c\u200d]+[{RIGHT_TO_LEFT}]+)*"
    return re.sub(words, r"<bdi>\g<0></bdi>", html.escape(text))


def _duration(report: DataReport) -> str:
    seconds = report.suggestion and report.suggestion.epoch_seconds
    if not seconds:
        return ""
    if seconds < 90:
        return f" (about {max(seconds, 1):.0f} s per epoch on this machine)"
    return f" (about {seconds / 60:.0f} min per epoch on this machine)"
