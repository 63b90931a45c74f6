from srlib.widgets.wizard.wizard import ImageWizard

__all__ = ["ImageWizard"]
