"""Segmenting a video: the run, what it writes, parts of a long one."""
