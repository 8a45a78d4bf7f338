"""How values show themselves in a notebook and in IPython: drawings, tables, errors, completion.

Drawings are SVG in the page's own text colour, so that they can be read on a light page, a dark one and in print.
"""
