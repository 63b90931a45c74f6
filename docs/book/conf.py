"""Sphinx's settings for the website of the course. build.py lays the pages out and calls Sphinx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Image Wizard"
html_title = "Image Wizard"
html_theme = "furo"
html_css_files = ["book.css"]
html_js_files = ["page.js"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

# rendering: formulas as the browser draws them, without a script from elsewhere.
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "rendering"]
html_math_renderer = "mathml"
nb_execution_mode = "off"
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_heading_slug_func = "rendering.anchor"
autodoc_typehints = "none"  # the signature has them
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "set"}  # of matplotlib's figures
napoleon_use_ivar = True
