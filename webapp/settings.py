"""All settings. Each comes from the environment, else from `var/services.json` (what the embedded
services answer to) and `var/secrets.json` (made once), both written by `manage.py up`."""

import json
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# Everything this installation writes lies under HOME; a second one beside it has another.
HOME = Path(env.str("TOUCHSTONE_HOME", default=str(BASE_DIR / "var"))).resolve()
DATA_DIR = HOME / "data"  # manifests, runs, scans, models
LOG_DIR = HOME / "log"


def _written(name: str) -> dict[str, str]:
    path = HOME / name
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise ImproperlyConfigured(f"{path} is damaged ({error}); restore or remove it") from error


_services = _written("services.json")
_secrets = _written("secrets.json")


def _setting(name: str, default: str = "") -> str:
    return env.str(name, default="") or _services.get(name, "") or _secrets.get(name, "") or default


def _day(name: str, default: str) -> date:
    value = env.str(name, default=default)
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {value!r}; expected a day as 2026-01-31") from error


KEY_BEFORE_FIRST_START = "before-first-start"  # a check refuses it once there is a database
SECRET_KEY = _setting("SECRET_KEY", KEY_BEFORE_FIRST_START)
DEBUG = env.bool("DEBUG", default=False)
WEB_PORT = int(_setting("WEB_PORT", "8000"))
ADMIN_USERNAME = _setting("ADMIN_USERNAME", "admin")  # the first administrator
ADMIN_PASSWORD = _setting("ADMIN_PASSWORD")
PUBLIC_URL = _setting("PUBLIC_URL", f"http://127.0.0.1:{WEB_PORT}").rstrip("/")
# Where labelers reach Label Studio: through us. As people's browsers reach it, and as we do.
GATEWAY_PORT = int(_setting("GATEWAY_PORT", "8081"))
GATEWAY_URL = _setting("GATEWAY_URL", f"http://127.0.0.1:{GATEWAY_PORT}").rstrip("/")
GATEWAY_INTERNAL_URL = _setting("GATEWAY_INTERNAL_URL", GATEWAY_URL).rstrip("/")
ALLOWED_HOSTS = [
    *env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"]),
    urlsplit(PUBLIC_URL).hostname or "localhost",
    urlsplit(GATEWAY_URL).hostname or "localhost",
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "webapp",
    "active_learning",
    "annotation",
    "webapp.admin_config.TouchstoneAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "rest_framework.authtoken",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "webapp.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "webapp.acting.ActingUser",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "webapp.middleware.RolesRequired",
]
ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.context.page",
            ]
        },
    }
]

DATABASE_URL = _setting("DATABASE_URL")
DATABASES = {
    "default": (
        env.db_url_config(DATABASE_URL)
        if DATABASE_URL
        # No service has been started yet: commands that need no database still work, and one
        # that does fails with PostgreSQL's own word for it.
        else {"ENGINE": "django.db.backends.postgresql", "NAME": "touchstone", "HOST": str(HOME)}
    )
}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}

REDIS_URL = _setting("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
    }
}

# Label Studio as we reach it; people's browsers reach it through the gateway.
LABEL_STUDIO_URL = _setting("LABEL_STUDIO_URL", "http://127.0.0.1:8080").rstrip("/")
LABEL_STUDIO_TOKEN = _setting("LABEL_STUDIO_TOKEN")
LABEL_STUDIO_EMAIL = _setting("LABEL_STUDIO_EMAIL")
LABEL_STUDIO_PASSWORD = _setting("LABEL_STUDIO_PASSWORD")
LABEL_STUDIO_WEBHOOK_SECRET = _setting("LABEL_STUDIO_WEBHOOK_SECRET")
# Where Label Studio reaches us, if that is not where people do (in containers, say).
WEBHOOK_BASE_URL = _setting("WEBHOOK_BASE_URL", PUBLIC_URL).rstrip("/")
LABEL_STUDIO_WINDOW = env.int("LABEL_STUDIO_WINDOW", default=50)  # open tasks an active labeler

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
# `background` is what no round waits for: else its scan would wait behind minutes of embeddings.
CELERY_TASK_ROUTES = {
    "annotation.tasks.*": {"queue": "sync"},
    "annotation.tasks.find_copies": {"queue": "default"},
    "annotation.tasks.tend_quality": {"queue": "default"},
    "active_learning.tasks.run_scan": {"queue": "scan"},
    "active_learning.tasks.run_evaluation": {"queue": "scan"},
    "active_learning.tasks.run_embedding": {"queue": "background"},
    "active_learning.tasks.run_forecast": {"queue": "background"},
    "active_learning.tasks.run_worth": {"queue": "background"},
    "active_learning.tasks.fill_embeddings": {"queue": "background"},
    "active_learning.tasks.run_export": {"queue": "background"},
    "active_learning.tasks.run_source": {"queue": "background"},
    "active_learning.tasks.run_training": {"queue": "train"},
}
# A task not acknowledged within this time is delivered again. Jobs hold a lease in the database,
# so a second delivery of one that still runs does nothing.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.int("CELERY_VISIBILITY_TIMEOUT", default=3600)
}
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep lapsed jobs and rounds": {"task": "active_learning.tasks.sweep", "schedule": 5.0},
    "start trainings that new labels ask for": {
        "task": "active_learning.tasks.check_triggers",
        "schedule": 10.0,
    },
    "embed what lacks a vector": {
        "task": "active_learning.tasks.fill_embeddings",
        "schedule": 15.0,
        "options": {"expires": 15},  # behind a long export they would only pile up
    },
    "scan the pool anew after a promotion": {
        "task": "active_learning.tasks.rescan_pool",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "flag what the champion found": {
        "task": "active_learning.tasks.raise_flags",
        "schedule": 15.0,
    },
    "measure drift, flags, verdicts and queues": {
        "task": "active_learning.tasks.measure",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "settle releases whose hours in shadow are over": {
        "task": "active_learning.tasks.tend_shadows",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "send the word of alerts that is due": {
        "task": "active_learning.tasks.deliver_due",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "take in from sources that are due": {
        "task": "active_learning.tasks.start_sources",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "tell MLflow of runs": {"task": "active_learning.tasks.mirror_runs", "schedule": 60.0},
    "push tasks": {"task": "annotation.tasks.push_tasks", "schedule": 3.0},
    "work off the inbox": {"task": "annotation.tasks.process_inbox", "schedule": 3.0},
    "poll Label Studio": {"task": "annotation.tasks.poll_annotations", "schedule": 10.0},
    "reconcile with Label Studio": {"task": "annotation.tasks.reconcile", "schedule": 120.0},
    "judge how well people answer": {"task": "annotation.tasks.tend_quality", "schedule": 60.0},
}
CELERY_TIMEZONE = "UTC"
LEASE_SECONDS = env.int("LEASE_SECONDS", default=30)  # a job without a heartbeat for so long lapsed

STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": HOME / "media"},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="")  # of sources' buckets too
if S3_BUCKET := env.str("S3_BUCKET", default=""):
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL or None,
        },
    }

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    # Installed by `make setup`.
    ("annotorious", BASE_DIR / "node_modules" / "@annotorious" / "annotorious" / "dist"),
]
# Label Studio sets cookies of Django's own names on the same host; cookies ignore ports.
SESSION_COOKIE_NAME = "touchstone_session"
# One log-in for pages and gateway: on one host the cookie reaches both ports by itself; with two
# host names set their common domain here.
SESSION_COOKIE_DOMAIN = env.str("SESSION_COOKIE_DOMAIN", default="") or None
CSRF_COOKIE_NAME = "touchstone_csrf"
LANGUAGE_COOKIE_NAME = "touchstone_language"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["webapp.roles.RolePermission"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Touchstone",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["webapp.roles.RolePermission"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "JobStateEnum": "active_learning.models.jobs.JobState",
        "RoundStateEnum": "active_learning.models.rounds.Round.State",
        "ModelKindEnum": "active_learning.models.registry.ModelKind",
        "TaskKindEnum": "annotation.models.task.Task.Kind",
        "CaseKindEnum": "annotation.models.case.Case.Kind",
        "FeatureKindEnum": "annotation.models.brand.Feature.Kind",
        "MeasureEnum": "active_learning.models.monitoring.Measure",
        "ChannelEnum": "annotation.models.review.MissedRisk.Channel",
        "DeliveryChannelEnum": "active_learning.models.monitoring.Delivery.Channel",
        "SourceKindEnum": "active_learning.models.sources.Source.Kind",
        "SourceSplitEnum": "active_learning.models.sources.Source.Split",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"httpx": {"level": "WARNING"}},
}

# The loop's own dials.
TRAIN_THREADS = env.int("TRAIN_THREADS", default=0)  # 0: half the cores
TRAIN_DEVICES = env.list("TRAIN_DEVICES", default=[])  # "cuda:0,cuda:1": one training each
CHILD_MEMORY_GB = env.float("CHILD_MEMORY_GB", default=0)  # of each process of a job; 0: no limit
RESCAN_AFTER_PROMOTION = env.bool("RESCAN_AFTER_PROMOTION", default=False)  # the whole pool
RETRAIN_AFTER_LABELS = env.int("RETRAIN_AFTER_LABELS", default=200)
RETRAIN_AFTER_BRAND_LABELS = env.int("RETRAIN_AFTER_BRAND_LABELS", default=60)  # 0: never
RETRAIN_LONGEST_WAIT_HOURS = env.int("RETRAIN_LONGEST_WAIT_HOURS", default=168)  # 0: for ever
RETRAIN_SCHEDULE = env.str("RETRAIN_SCHEDULE", default="")  # e.g. "0 3 * * 1"; "": none
RETRAIN_DEBOUNCE_SECONDS = env.int("RETRAIN_DEBOUNCE_SECONDS", default=60)
FLAG_RATIO_BUDGET = env.float("FLAG_RATIO_BUDGET", default=0.01)

# What the gates ask of a model before it is promoted; recalls are of the closed set, absolute.
GATE_RECALL_TOLERANCE = env.float("GATE_RECALL_TOLERANCE", default=0.01)
GATE_RECALL_RESOLUTION = env.float("GATE_RECALL_RESOLUTION", default=0.05)  # to tell from chance
GATE_LEAST_GROUPS = env.int("GATE_LEAST_GROUPS", default=3)  # test items, near-duplicates as one
GATE_PROTECTED_RECALL = env.float("GATE_PROTECTED_RECALL", default=0.5)  # of protected brands
GATE_PROTECTED_IMAGES = env.int("GATE_PROTECTED_IMAGES", default=20)  # from so many on
GATE_MEGABYTES = env.float("GATE_MEGABYTES", default=250)  # of one model
GATE_MILLISECONDS = env.float("GATE_MILLISECONDS", default=500)  # an image, on one thread
GATE_GROWTH = env.float("GATE_GROWTH", default=3)  # times what the champion's model takes

# How long a release that passed the gates is tried beside the champion on what comes in, before it
# is promoted; 0: not at all. On fewer fresh images than the least it does not pass.
SHADOW_HOURS = env.float("SHADOW_HOURS", default=0)
SHADOW_LEAST_IMAGES = env.int("SHADOW_LEAST_IMAGES", default=100)  # near-duplicates as one

# Training runs are told to this MLflow, if any; its address may hold a name and password.
MLFLOW_TRACKING_URI = env.str("MLFLOW_TRACKING_URI", default="").rstrip("/")
MLFLOW_EXPERIMENT = env.str("MLFLOW_EXPERIMENT", default="touchstone")

# Missed risks found from this day on test the models (the business set), those before may train
# them. What has been placed stays where it is, so set it once, to the day the platform begins to
# count; the default suits an installation of this version.
BUSINESS_CUTOFF = _day("BUSINESS_CUTOFF", "2026-01-01")

# Where images come from, and how far what is said of them is believed.
SOURCE_FOLDERS = env.list("SOURCE_FOLDERS", default=[str(HOME / "incoming")])  # they may read these
SOURCE_HTTP_PRIVATE = env.bool("SOURCE_HTTP_PRIVATE", default=False)  # may be in our network
# Lower end of a source's rightness below which its weak labels train nothing; 0: they always do.
SOURCE_LEAST_RIGHTNESS = env.float("SOURCE_LEAST_RIGHTNESS", default=0.5)
SOURCE_LEAST_ANSWERS = env.int("SOURCE_LEAST_ANSWERS", default=30)  # blind ones: measured
SOURCE_UNMEASURED = env.bool("SOURCE_UNMEASURED", default=True)  # they train until measured
KEY_STYLE_IMAGES = env.int("KEY_STYLE_IMAGES", default=20)  # of fewer, a brand's style needs more

# How far people's answers are trusted, and what it costs to be surer.
GOLD_RATE = env.float("GOLD_RATE", default=0.08)  # share of tasks whose answer is known; 0: none
ASSIGNMENT_SECONDS = env.int("ASSIGNMENT_SECONDS", default=900)  # then a task is free again
CONSENSUS_TARGET = env.float("CONSENSUS_TARGET", default=0.95)  # posterior that ends the asking
MOST_ANSWERS = env.int("MOST_ANSWERS", default=5)  # of one item, gold apart
ACCURACY_FLOOR = env.float("ACCURACY_FLOOR", default=0.75)  # below it fresh labels are held
MODEL_VOTES = env.bool("MODEL_VOTES", default=True)  # the model as one more weak annotator

# What is measured day by day, and past what a person is told.
MONITORING_FRESH_DAYS = env.int("MONITORING_FRESH_DAYS", default=7)  # older images are the pool
MONITORING_LEAST_IMAGES = env.int("MONITORING_LEAST_IMAGES", default=100)  # of fewer: nothing
MONITORING_OVERRIDE_LIMIT = env.float("MONITORING_OVERRIDE_LIMIT", default=0.5)
# Hours that the oldest of a queue may wait.
MONITORING_TASK_HOURS = env.float("MONITORING_TASK_HOURS", default=72)
MONITORING_QUESTION_HOURS = env.float("MONITORING_QUESTION_HOURS", default=24)
MONITORING_FLAG_HOURS = env.float("MONITORING_FLAG_HOURS", default=72)
MONITORING_TRAINING_HOURS = env.float("MONITORING_TRAINING_HOURS", default=6)
MONITORING_SCAN_HOURS = env.float("MONITORING_SCAN_HOURS", default=168)
MONITORING_SYNC_HOURS = env.float("MONITORING_SYNC_HOURS", default=1)

# Where word of alerts goes beside the pages; nowhere while these are empty.
ALERT_WEBHOOK_URL = env.str("ALERT_WEBHOOK_URL", default="")
ALERT_WEBHOOK_SECRET = env.str("ALERT_WEBHOOK_SECRET", default="")
ALERT_WEBHOOK_PRIVATE = env.bool("ALERT_WEBHOOK_PRIVATE", default=False)  # may be in our network
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
EMAIL_HOST = env.str("EMAIL_HOST", default="")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="touchstone@localhost")
