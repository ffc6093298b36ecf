"""Segmenting a data set and scoring it, by one process or several."""
