"""Connectors: small readers of places that pictures come from, behind one interface."""

from annotation.connectors.choice import FIELDS, open_connector
from annotation.connectors.entries import Connector, Entry

__all__ = ["FIELDS", "Connector", "Entry", "open_connector"]
