"""Whether the process that owns a job still lives."""

import os
import socket
import subprocess
import sys

from qctrl.service.owner import is_alive, this_process


def test_this_process_lives():
    assert is_alive(this_process())


def test_a_dead_process_and_a_reused_pid_do_not_live():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not is_alive(f"{socket.gethostname()}:{process.pid}:")
    assert not is_alive(f"{socket.gethostname()}:{os.getpid()}:1")


def test_a_process_of_another_user_may_live():
    assert not is_alive(f"{socket.gethostname()}:1:0")


def test_a_process_of_another_host_is_left_alone():
    assert is_alive("elsewhere:1:2")
