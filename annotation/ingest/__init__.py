"""Ingest: folders of images into the platform, streaming, resumable and idempotent."""

from annotation.ingest.brands import ListingPolicy
from annotation.ingest.folder import ingest_folder, ingest_rows
from annotation.ingest.report import IngestReport

__all__ = ["IngestReport", "ListingPolicy", "ingest_folder", "ingest_rows"]
