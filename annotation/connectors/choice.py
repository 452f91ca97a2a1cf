"""From what a person set to an open connector."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from annotation import web
from annotation.connectors.bucket import open_bucket
from annotation.connectors.entries import Connector
from annotation.connectors.files import Folder, Table
from annotation.connectors.web_list import WebList
from ml.errors import InputError

# What each connector is told; of those in REQUIRED, nothing can be left out.
FIELDS = {
    "folder": ("path",),
    "csv": ("path",),
    "s3": ("bucket", "prefix", "secret"),
    "http": ("url", "secret"),
}
REQUIRED = {"path", "url"}
LONGEST = 500  # characters
# A secret is named, never given. Only names made for it: any other variable would let whoever may
# set a source send the platform's own secrets to an address of theirs.
SECRET = re.compile(r"SOURCE_SECRET_[A-Z0-9_]+")


def checked(connector: str, told: Mapping[str, str]) -> dict[str, str]:
    """What a connector is told, without what is empty. Opens nothing.

    Raises:
        InputError: there is no such connector, or it cannot be told this.
    """
    if connector not in FIELDS:
        raise InputError(_("Choose one of the connectors: %(all)s.") % {"all": ", ".join(FIELDS)})
    told = {name: str(value).strip() for name, value in told.items() if str(value).strip()}
    if unknown := sorted(told.keys() - set(FIELDS[connector])):
        raise InputError(
            _("The connector %(connector)s takes no %(field)s.")
            % {"connector": connector, "field": unknown[0]}
        )
    if missing := [name for name in FIELDS[connector] if name in REQUIRED and name not in told]:
        raise InputError(
            _("The connector %(connector)s needs a %(field)s.")
            % {"connector": connector, "field": missing[0]}
        )
    if too_long := [name for name, value in told.items() if len(value) > LONGEST]:
        raise InputError(
            _("%(field)s is longer than %(most)d characters.")
            % {"field": too_long[0], "most": LONGEST}
        )
    if "path" in told:
        _within(told["path"])
    if "url" in told:
        try:
            web.parsed(told["url"])
        except web.WebError as error:
            raise InputError(f"url: {error}") from error
    if "secret" in told and not SECRET.fullmatch(told["secret"]):
        raise InputError(
            _("The secret is the name of an environment variable that begins with SOURCE_SECRET_.")
        )
    return told


def open_connector(connector: str, told: Mapping[str, str]) -> Connector:
    """Raises InputError, as `checked`, and where what is named is not there."""
    told = checked(connector, told)
    if connector == "folder":
        return Folder(_within(told["path"]))
    if connector == "csv":
        return Table(_within(told["path"]))
    if connector == "s3":
        return open_bucket(
            bucket=told.get("bucket", ""),
            prefix=told.get("prefix", ""),
            endpoint_url=settings.S3_ENDPOINT_URL or None,
            secret=_secret(told),
        )
    return WebList(told["url"], private=settings.SOURCE_HTTP_PRIVATE, secret=_secret(told))


def _within(path: str) -> Path:
    """A path inside one of SOURCE_FOLDERS, without links: whoever may set a source may not read
    the whole machine by it."""
    roots = [Path(root).resolve() for root in settings.SOURCE_FOLDERS]
    try:
        resolved = (roots[0] / path).resolve() if roots else Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, too long, a loop of links
        raise InputError(_("%(path)s is no usable path.") % {"path": path[:80]}) from error
    if not any(resolved.is_relative_to(root) for root in roots):
        places = ", ".join(str(root) for root in roots) or "nowhere"
        raise InputError(
            _("%(path)s is not in a folder that sources may read (%(places)s).")
            % {"path": path, "places": places}
        )
    return resolved


def _secret(told: Mapping[str, str]) -> str | None:
    if "secret" not in told:
        return None
    value = os.environ.get(told["secret"], "")
    if not value:
        raise InputError(
            _("%(name)s is not set in the environment of the workers.") % {"name": told["secret"]}
        )
    return value
