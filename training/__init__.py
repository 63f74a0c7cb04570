"""Photos in, a network folder that `models` can load out.

`data.py` finds the photos of each class and `audit.py` says what is odd about them. On a published
network (`task.py`) `features.py` computes what it makes of each photo, once; `bottleneck.py` fits a
new head on that (`head.py`), `finetune.py` teaches its top layers as well (`top.py`, `tune.py`),
`kfold.py` and `auto.py` compare. `vary.py` varies photos and `preview.py` shows it.

From nothing learns `scratch.py`: `pack.py` decodes, `augment.py` varies, `schedule.py` says how
fast and at which size, `step.py` takes one step, `checkpoint.py` keeps what was learned.

`workplace.py` is where a run works. `outcome.py` measures, `report.py` shows it, and `export.py`
writes the folder. `python -m training` is the door. Keras is imported only when called.
"""
