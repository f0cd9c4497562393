"""A small self-made world in the standard formats, and the way from it through all that Embryo does."""
