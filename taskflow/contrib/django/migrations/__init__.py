"""Migrations of models that have no tables: content types and permissions follow from them."""
