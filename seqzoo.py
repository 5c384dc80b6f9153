"""Gives a checkout its import name: `import seqzoo` finds this folder; it is not installed."""

import os

__path__ = [os.path.dirname(os.path.abspath(__file__))]

from seqzoo.saving import register  # noqa: E402

register()

if __name__ == "__main__":  # `python -m seqzoo`, for which an installed package has __main__.py
    from seqzoo.cli import main

    main(prog_name="python -m seqzoo")
