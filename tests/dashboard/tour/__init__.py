"""The tour of the dashboard in Chromium. It is a package, so that its tests share one shop and one browser."""
