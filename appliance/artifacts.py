"""What tasks make for people to look at. To import from, as in `from appliance import artifacts`, and then `artifacts.markdown("# Report")`."""

from appliance.core.artifacts import file, html, image, link, markdown, plot, progress, table

__all__ = ["file", "html", "image", "link", "markdown", "plot", "progress", "table"]
