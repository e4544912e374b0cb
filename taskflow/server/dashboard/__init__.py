"""The dashboard: HTML pages on the engine of one environment. Pages never read Redis or SQL: they call the engine."""
