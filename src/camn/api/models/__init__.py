"""Models by name or file, and segmenters made of them."""
