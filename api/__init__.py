"""HTTP, and only HTTP: requests to options and bytes, answers and errors to replies."""
