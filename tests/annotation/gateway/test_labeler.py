"""The labeler that is a program: its session ends with it."""

import threading

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection

from annotation.gateway.labeler import GatewayLabeler


def end_connection(pid: int) -> None:
    """As a restart of the database does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_its_session_ends_though_the_database_lost_its_connection_meanwhile():
    user = User.objects.create_user("simulated-1")
    with GatewayLabeler(user):
        assert Session.objects.count() == 1
        mine = connection.connection.info.backend_pid
        other = threading.Thread(target=end_connection, args=[mine])  # a thread has its own
        other.start()
        other.join()
    assert Session.objects.count() == 0
