"""Class folders in, a network folder that `models` can load out.

`data.py` finds the pictures of each class, `pack.py` decodes them once into one file,
`augment.py` varies them, `schedule.py` says how fast and at which size to learn, `step.py`
takes one step, `checkpoint.py` keeps what was learned, `scratch.py` ties these into a run,
`export.py` writes the network folder and `evaluate.py` measures one. `python -m training`
is the door. Keras is imported only when called.
"""
