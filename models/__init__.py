"""What can be served: a card for every network, its labels, its weights, its graph.

`card.py` says what there is to say about a network, `zoo.py` is the table of published ones,
`folder.py` reads and writes a network kept in a folder, `labels/` names the classes,
`weights.py` finds the weights (`download.py` fetches them) and `build.py` makes the graph.
Nothing here knows of pictures beyond their size, nor of what runs the graph; TensorFlow is
imported only when a graph is built.
"""
