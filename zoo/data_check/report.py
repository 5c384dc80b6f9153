"""The report of a check, as lines and as a page."""

import html
import pathlib

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
    title = html.escape(f"Check of {report.source.data}")
    items = "\n".join(
        f'<li class="{finding.state}"><span class="state">{finding.state}</span>'
        f"<b>{html.escape(finding.subject)}</b>: {html.escape(finding.message)}"
        + (f'<div class="fix">{html.escape(finding.fix)}</div>' if finding.fix else "")
        + "</li>"
        for finding in report.findings
    )
    first = "<p>Training would fail; correct what is broken and check again.</p>"
    if report.suggestion is not None:
        first = (
            f"<p>Suggested first training run{html.escape(_duration(report))}:</p>"
            f"<pre>{html.escape(report.suggestion.command)}</pre>"
        )
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<ul>\n{items}\n</ul>\n{first}\n"
        "</body></html>\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _duration(report: DataReport) -> str:
    seconds = report.suggestion and report.suggestion.epoch_seconds
    if not seconds:
        return ""
    if seconds < 90:
        return f" (about {max(seconds, 1):.0f} s per epoch on this machine)"
    return f" (about {seconds / 60:.0f} min per epoch on this machine)"
