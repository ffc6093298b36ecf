"""What is kept of a video and its masks between two sittings, on disk, and how masks are carried through it."""
