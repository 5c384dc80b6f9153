"""A worker of a search that does not train: the score of a trial is computed from its options."""

import os
import pathlib
import signal
import sys
import time
from typing import Any

from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.zoo.hyperparameters.channel import Channel, OutOfMemory, work
from seqzoo.zoo.stopping import handling_signals

EPOCHS = 3


def _first(folder: pathlib.Path) -> bool:
    """Whether this trial is the first that would wait, however many workers ask at once."""
    try:
        (folder / "first_trial_that_waits").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def main(words: list[str]) -> int:
    """Runs the worker; certain numbers of units make a trial fail, crash or wait."""
    folder, _, descriptor = words
    path = pathlib.Path(folder)

    def train(order: dict[str, Any], channel: Channel) -> dict[str, Any]:
        values, number = order["values"], order["number"]
        with open(path / "trained.txt", "a") as file:
            file.write(f"{number}\n")
        run = path / "trials" / str(number)
        run.mkdir(parents=True, exist_ok=True)
        if values["units"] == 13:
            raise SeqzooError("13 units bring bad luck.")
        if values["units"] == 14:
            os.kill(os.getpid(), signal.SIGKILL)
        if values["units"] == 16:
            raise OutOfMemory("16 units need too much memory.")
        if values["units"] in (15, 17) and _first(path):
            (run / "checkpoint").touch()
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                raise Interrupted("Stopped.") from None
        score = 1 - abs(values["units"] - 12) / 100
        for epoch in range(1, EPOCHS + 1):
            channel.report(epoch, score * epoch / EPOCHS)
        return {"score": score, "epoch": EPOCHS, "epochs": EPOCHS, "parameters": values["units"]}

    def begin() -> dict[str, Any]:
        if "\nepochs = 13\n" in (path / "search.toml").read_text():
            raise SeqzooError("Thirteen epochs bring bad luck.")
        return {"metric": "accuracy", "better": 1}

    channel = Channel(int(descriptor))
    with handling_signals():
        return work(channel, begin, train)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
