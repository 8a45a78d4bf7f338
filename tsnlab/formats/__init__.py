"""Reading and writing captures: one module for each file format."""
