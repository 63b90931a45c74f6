"""srlib: the thin package that the Image Wizard's notebooks share.  One module per topic of the course."""

__version__ = "0.1.0"
