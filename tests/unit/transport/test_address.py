import pytest

from qctrl.errors import ConfigError
from qctrl.transport import check_address


@pytest.fixture
def private(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def test_loopback_and_private_folder_are_accepted(private):
    for address in ("tcp://127.0.0.1:5570", "tcp://127.0.0.1:*", f"ipc://{private}/s"):
        assert check_address(address) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "192.168.1.4", "example.org", "[::1]", "", "127.0.0.1.evil.org"])
def test_host_that_is_not_loopback_is_refused(host):
    with pytest.raises(ConfigError, match=r"not encrypted; use 127.0.0.1"):
        check_address(f"tcp://{host}:5570")


@pytest.mark.parametrize("port", ["0", "65536", "x", "", "-1"])
def test_bad_port_is_refused(port):
    with pytest.raises(ConfigError, match="port"):
        check_address(f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["", "5570", "udp://127.0.0.1:1", "inproc://x", "ipc://"])
def test_other_schemes_are_refused(address):
    with pytest.raises(ConfigError, match="not of the form"):
        check_address(address)


def test_folder_open_to_others_is_refused(private):
    private.chmod(0o750)
    with pytest.raises(ConfigError, match="chmod 700"):
        check_address(f"ipc://{private}/s")


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        check_address(f"ipc://{tmp_path}/missing/s")


def test_long_or_relative_path_is_refused(private):
    for path in (f"{private}/{'s' * 108}", "relative/s"):
        with pytest.raises(ConfigError, match="absolute and at most 107"):
            check_address(f"ipc://{path}")
