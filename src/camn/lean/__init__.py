"""The fast form of a trained network, for inference: the same answers."""
