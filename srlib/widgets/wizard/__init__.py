"""The Image Wizard of lesson 00 and of the app."""

from srlib.widgets.wizard.wizard import ImageWizard

__all__ = ["ImageWizard"]
