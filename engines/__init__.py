"""Pixels to numbers: what runs a network.

`engine.py` says what an engine must give, `load.py` makes one from a card. `keras_engine.py` is the
reference; `openvino_engine.py` is the fast one on CPUs, and runs what `export.py` made of the
reference, kept by `cache.py`. What an answer came from is told by `head.py` and `grid.py` for the
fast engine, by `grad_cam.py` for the reference. Photos, labels and HTTP are other rooms' business.
"""
