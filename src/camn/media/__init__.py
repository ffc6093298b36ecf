"""Frames in, from videos and folders of images; masks, movies and pictures out."""
