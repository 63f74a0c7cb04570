"""A photo to an answer, with no HTTP: the queue, the walk through it, and what is said."""
