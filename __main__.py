"""`python -m seqzoo` is the command `seqzoo`."""

from seqzoo.cli import main

main(prog_name="python -m seqzoo")
