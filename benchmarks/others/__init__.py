"""Other servers, each written as its own documentation has it, to be compared with.

Each answers a photo in the multipart field `image` at /predict, either by Keras' `model.predict` or
by our engine (`answers.py`); `benchmarks.peers` starts them. They run with the packages of
benchmarks/requirements-peers.txt.
"""
