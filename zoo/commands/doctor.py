"""The command `seqzoo doctor`: checks the installation."""

import json
from dataclasses import asdict

import click


@click.command("doctor")
@click.option("--data-dir", help="Additional data directory of TensorFlow Datasets to check.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
def command(data_dir: str | None, as_json: bool) -> None:
    """Check the installation, devices and data sets.

    Runs a small layer on every execution path. The exit code is 1 if something is broken.

    \b
    Examples:
      seqzoo doctor
      seqzoo doctor --json > machine.json
    """
    from seqzoo.zoo.diagnostics.doctor import examine

    findings = []
    for finding in examine(data_dir):
        findings.append(finding)
        if not as_json:
            click.echo(finding.text(), nl=False)
    broken = any(finding.state == "broken" for finding in findings)
    if as_json:
        rows = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"healthy": not broken, "findings": rows}, ensure_ascii=False))
    else:
        click.echo("At least one check failed." if broken else "All required checks passed.")
    if broken:
        raise SystemExit(1)
