"""Every speed claim, measured again by one command; results carry the machine they came from.

`python -m benchmarks.peers` compares our server with others, in turns, in one run.
"""
