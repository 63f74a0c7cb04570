"""What was learned so far, on disk: whole or not at all."""

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from errors import SettingsError

Arrays = list[NDArray[Any]]
History = list[dict[str, float]]
_BESIDES = ("step", "spent_s", "plan", "history")  # besides arrays


class NoRoom(SettingsError):
    """The disk is full, or the file can't be written for another reason."""


class CannotGoOn(SettingsError):
    """A checkpoint is damaged, or of a run with other settings."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run.

    Args:
        state: every number of network and optimizer, in Keras' order.
        average: the averaged weights, in the order of `get_weights`.
        step: steps done.
        spent_s: seconds that training took so far.
        history: figures of each epoch that is done, in their order.
    """

    state: Arrays
    average: Arrays
    step: int
    spent_s: float
    history: History = field(default_factory=list)

    def save(self, path: Path, plan: Mapping[str, Any]) -> None:
        """Replace the checkpoint at `path`; the one before stays until this one is whole.

        Args:
            plan: the run's settings; `load` refuses others.
        Raises:
            NoRoom: it can't be written. The checkpoint before is left as it was.
        """
        fresh = path.with_name(path.name + ".part")
        parts: dict[str, Any] = {"step": self.step, "spent_s": self.spent_s}
        parts |= {"plan": json.dumps(plan), "history": json.dumps(self.history)}
        parts |= {f"arr_{i}": array for i, array in enumerate([*self.state, *self.average])}
        try:
            with fresh.open("wb") as file:
                np.savez(file, **parts)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise NoRoom(
                f"the checkpoint of step {self.step} can't be written to {path}: "
                f"{error.strerror or error}; {_what_is_left(path)}"
            ) from error
        fresh.replace(path)


def load(path: Path, plan: Mapping[str, Any], in_state: int) -> Checkpoint | None:
    """The checkpoint at `path`, or None where there is none.

    Args:
        plan: the run's settings.
        in_state: how many of the arrays are network and optimizer.
    Raises:
        CannotGoOn: it can't be read, or was made with other settings.
    """
    try:
        # NumPy leaves a path open when it can't read it.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            made_with = json.loads(str(saved["plan"]))
            _refuse_another_plan(path, made_with, json.loads(json.dumps(plan)))
            arrays = [saved[f"arr_{i}"] for i in range(len(saved.files) - len(_BESIDES))]
            step, spent_s = int(saved["step"]), float(saved["spent_s"])
            history = json.loads(str(saved["history"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CannotGoOn(f"{path} can't be read ({error}); remove it to begin anew") from error
    return Checkpoint(arrays[:in_state], arrays[in_state:], step, spent_s, history)


def _refuse_another_plan(path: Path, made: dict[str, Any], now: dict[str, Any]) -> None:
    differ = [name for name in now if made.get(name) != now[name]]
    if differ:
        changes = ", ".join(f"{name} {made.get(name)} (now {now[name]})" for name in differ)
        raise CannotGoOn(
            f"{path} is of a run with {changes}; go on with the same, give another --out, "
            "or remove it to begin anew"
        )


def _what_is_left(path: Path) -> str:
    if path.exists():
        return "the one before is whole: make room, and the same command goes on from it"
    return "there is none before it: make room and begin again"
