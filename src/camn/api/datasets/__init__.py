"""Data sets as a user meets them: checked, opened, split."""
