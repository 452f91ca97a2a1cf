"""The end of the platform that the other end-to-end tests share."""

import socket
import time

import pytest

from webapp.supervisor import processes

pytestmark = [pytest.mark.slow, pytest.mark.labelstudio]


def test_down_leaves_nothing_behind(platform):
    ports = [platform.web_port, platform.label_studio_port, int(platform.services["REDIS_PORT"])]
    began = time.monotonic()
    assert platform.down().returncode == 0
    assert time.monotonic() - began < 40  # 7 s on a machine with nothing else to do
    assert processes.marked(platform.home) == []
    assert not (platform.home / "pg" / "postmaster.pid").exists()
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert platform.manage("status").returncode == 3
