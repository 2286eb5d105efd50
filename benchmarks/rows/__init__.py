"""The rows of the speed table, a module for every kind of work."""
