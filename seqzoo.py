"""Gives a checkout its import name: `import seqzoo` finds this folder; it is not installed."""

import os

__path__ = [os.path.dirname(os.path.abspath(__file__))]
