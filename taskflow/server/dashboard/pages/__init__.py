"""The pages, one module a page. ``table.py`` beside this folder joins their ``PAGES``."""
