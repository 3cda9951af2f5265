"""One owner at a time, and none after its end."""

import os
import subprocess
import sys

import pytest

from qctrl.errors import InstrumentError
from qctrl.instruments.boxes.lease import Lease, lease_folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("QCTRL_LEASES", str(tmp_path / "leases"))


def test_second_owner_is_refused_and_told_who_the_first_is():
    first = Lease("awg1", "TCPIP0::h::1::SOCKET")
    with pytest.raises(InstrumentError, match=rf"awg9 at .* is in use by process {os.getpid()}; end it first"):
        Lease("awg9", "tcpip0::h::1::socket")
    Lease("awg2", "TCPIP0::h::2::SOCKET").release()
    first.release()
    Lease("awg9", "TCPIP0::h::1::SOCKET").release()


def test_lease_of_a_killed_process_is_free():
    code = (
        "import os, signal\nfrom qctrl.instruments.boxes.lease import Lease\n"
        "one = Lease('awg1', 'A')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    Lease("awg1", "A").release()


def test_folder_is_in_the_users_state_unless_chosen(monkeypatch):
    monkeypatch.delenv("QCTRL_LEASES")
    assert lease_folder().name == "leases"
