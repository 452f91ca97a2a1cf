"""Doing what a button asks: the verb's own words become the message."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from annotation.access import PageRequest


def act(
    request: PageRequest,
    verb: Callable[[], Any],
    *,
    done: str,
    to: str,
    refusals: tuple[type[Exception], ...],
) -> HttpResponse:
    """Call `verb`; say `done`, or what it refused with, on the page at `to`."""
    try:
        verb()
    except refusals as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect(to)
