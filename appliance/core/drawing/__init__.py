"""Drawings of a flow: as SVG, or as text for a terminal."""
