"""The commands, as tyro reads them; what they do is in `camn.api`."""
