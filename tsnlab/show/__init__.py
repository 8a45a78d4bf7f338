"""How values show themselves in a notebook and in IPython: drawings, tables, errors, completion.

Drawings are images within the page, so that they are also there in a notebook that somebody else has executed.
"""
