"""Data sets on disk: layouts, pairs of image and mask, sequences, stills, hold-outs, and what is wrong with them."""
