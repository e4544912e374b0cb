"""The engine behind ``schedules``, and the passes of upkeep that fire them."""
