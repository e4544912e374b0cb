"""``taskflow flower``: Flower with safe defaults and a tab of runs. It uses internals of Flower, which pyproject pins.

The names that it uses are those of ``typings/flower``; ``tests/integration/test_flower_tab.py`` fails when one changes.
"""
