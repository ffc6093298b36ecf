"""Staged clips with known answers, of kinds that are hard to follow; `make_hard_clips.py --set scenes` writes them."""
