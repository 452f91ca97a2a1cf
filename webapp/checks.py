"""What `manage.py check` finds wrong with this installation's settings."""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

ADDRESSES = ("LABEL_STUDIO_URL", "GATEWAY_URL", "PUBLIC_URL", "WEBHOOK_BASE_URL")
LONGEST_SHADOW = 24 * 90  # hours
LEAST_MEMORY = 1.5  # GB: importing torch takes half of it, a training of a few images the rest
LOCAL = ("127.0.0.1", "localhost", "::1")


@register()
def check_settings(app_configs, **kwargs) -> list[CheckMessage]:
    """Settings that would let the platform start and then fail, or be open to others."""
    return [
        *_secret_key(),
        *_services(),
        *_public_address(),
        *_one_log_in(),
        *_alerts(),
        *_shadow(),
        *_monitoring(),
        *_sources(),
        *_limits_of_jobs(),
    ]


def _secret_key() -> list[CheckMessage]:
    if settings.SECRET_KEY != settings.KEY_BEFORE_FIRST_START or not settings.DATABASE_URL:
        return []
    hint = "`manage.py up` makes one; without it, set SECRET_KEY."
    return [Error("SECRET_KEY is not set.", hint=hint, id="webapp.E001")]


def _services() -> list[CheckMessage]:
    faults: list[CheckMessage] = []
    if settings.DATABASE_URL and settings.DATABASES["default"]["ENGINE"] != (
        "django.db.backends.postgresql"
    ):
        faults.append(Error("DATABASE_URL does not name a PostgreSQL.", id="webapp.E002"))
    if urlsplit(settings.REDIS_URL).scheme not in ("redis", "rediss", "unix"):
        faults.append(Error("REDIS_URL does not begin with redis://.", id="webapp.E003"))
    faults += [
        Error(f"{name} does not begin with http:// or https://.", id="webapp.E004")
        for name in (
            "LABEL_STUDIO_URL",
            "GATEWAY_URL",
            "GATEWAY_INTERNAL_URL",
            "PUBLIC_URL",
            "WEBHOOK_BASE_URL",
        )
        if urlsplit(getattr(settings, name)).scheme not in ("http", "https")
    ]
    if settings.MLFLOW_TRACKING_URI and urlsplit(settings.MLFLOW_TRACKING_URI).scheme not in (
        "http",
        "https",
    ):
        faults.append(Error("MLFLOW_TRACKING_URI is no http:// address.", id="webapp.E010"))
    return faults


def _public_address() -> list[CheckMessage]:
    address = urlsplit(settings.PUBLIC_URL)
    if address.scheme == "https" or address.hostname in LOCAL:
        return []
    hint = "Put a proxy with TLS before it; passwords travel in the clear otherwise."
    return [Warning("PUBLIC_URL is not https.", hint=hint, id="webapp.W001")]


def _one_log_in() -> list[CheckMessage]:
    """The gateway knows people by the cookie of our pages."""
    pages, gateway = urlsplit(settings.PUBLIC_URL).hostname, urlsplit(settings.GATEWAY_URL).hostname
    domain = (settings.SESSION_COOKIE_DOMAIN or "").lstrip(".")
    shared = domain and all(
        host == domain or (host or "").endswith("." + domain) for host in (pages, gateway)
    )
    if pages == gateway or shared:
        return []
    hint = "Give both one host name, or set SESSION_COOKIE_DOMAIN to the domain they share."
    return [Error("GATEWAY_URL gets no log-in from PUBLIC_URL.", hint=hint, id="webapp.E005")]


def _alerts() -> list[CheckMessage]:
    """Word of alerts that would never arrive, or that nobody could tell from a forged one."""
    faults: list[CheckMessage] = []
    if settings.ALERT_WEBHOOK_URL:
        address = urlsplit(settings.ALERT_WEBHOOK_URL)
        if address.scheme not in ("http", "https") or not address.hostname:
            faults.append(
                Error("ALERT_WEBHOOK_URL is no http:// or https:// address.", id="webapp.E006")
            )
        if not settings.ALERT_WEBHOOK_SECRET:
            hint = "The receiver checks the signature with it."
            faults.append(Error("ALERT_WEBHOOK_SECRET is not set.", hint=hint, id="webapp.E007"))
    if settings.ALERT_EMAILS and not settings.EMAIL_HOST:
        faults.append(Error("ALERT_EMAILS needs EMAIL_HOST.", id="webapp.E008"))
    return faults


def _shadow() -> list[CheckMessage]:
    """A shadow that could never end, or that any image would satisfy."""
    faults: list[CheckMessage] = []
    if not 0 <= settings.SHADOW_HOURS <= LONGEST_SHADOW:
        message = f"SHADOW_HOURS is not between 0 and {LONGEST_SHADOW}."
        faults.append(Error(message, id="webapp.E011"))
    if settings.SHADOW_LEAST_IMAGES < 1:
        faults.append(Error("SHADOW_LEAST_IMAGES is less than 1.", id="webapp.E012"))
    return faults


def _monitoring() -> list[CheckMessage]:
    """Limits that every day would pass, or none."""
    hours = ("TASK", "QUESTION", "FLAG", "TRAINING", "SCAN", "SYNC")
    allowed = {
        "MONITORING_FRESH_DAYS": (1, 365),
        "MONITORING_LEAST_IMAGES": (20, float("inf")),  # of fewer, halves tell nothing
        "MONITORING_OVERRIDE_LIMIT": (0, 1),
        **{f"MONITORING_{name}_HOURS": (0.01, float("inf")) for name in hours},
    }
    return [
        Error(f"{name} is not between {low} and {high}.", id="webapp.E009")
        for name, (low, high) in allowed.items()
        if not low <= getattr(settings, name) <= high
    ]


def _sources() -> list[CheckMessage]:
    """Bounds that no source could meet, or that mean nothing."""
    allowed = {
        "SOURCE_LEAST_RIGHTNESS": (0, 0.99),
        "SOURCE_LEAST_ANSWERS": (1, float("inf")),
        "KEY_STYLE_IMAGES": (0, float("inf")),
    }
    return [
        Error(f"{name} is not between {low} and {high}.", id="webapp.E013")
        for name, (low, high) in allowed.items()
        if not low <= getattr(settings, name) <= high
    ]


def _limits_of_jobs() -> list[CheckMessage]:
    """Devices that no training would run on, and a memory in which none starts."""
    faults: list[CheckMessage] = []
    devices = settings.TRAIN_DEVICES
    if len(set(devices)) < len(devices) or not all(
        re.fullmatch(r"cpu|cuda:\d+", device) for device in devices
    ):
        hint = "For two GPUs: cuda:0,cuda:1."
        faults.append(
            Error("TRAIN_DEVICES does not name each device once.", hint=hint, id="webapp.E014")
        )
    if settings.CHILD_MEMORY_GB and not settings.CHILD_MEMORY_GB >= LEAST_MEMORY:
        hint = "0 sets no limit."
        faults.append(
            Error("CHILD_MEMORY_GB is less than a model needs to start.", hint=hint,
                  id="webapp.E015")
        )  # fmt: skip
    return faults
