"""Measuring what a model costs, each point in a process of its own."""
