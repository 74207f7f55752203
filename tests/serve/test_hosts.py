"""Which addresses only this machine reaches; accepted Host names; when a token is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.errors import ConfigError
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.hosts import is_accepted, is_loopback
from tests.serve.conftest import Connect

LOOPBACK = ("127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost",
            "localhost.", "LocalHost")  # fmt: skip
REACHABLE = ("0.0.0.0", "::", "10.0.0.1", "127.evil.example", "localhost.evil.example", "",
             "::ffff:10.0.0.1", "127.0.0.1.nip.io")  # fmt: skip


def test_loopback_addresses() -> None:
    assert [host for host in LOOPBACK if not is_loopback(host)] == []
    assert [host for host in REACHABLE if is_loopback(host)] == []


@pytest.mark.parametrize("listening", [*LOOPBACK, *REACHABLE])
def test_a_rebound_name_is_never_accepted(listening: str) -> None:
    accepted = ServeConfig(host=listening, allowed_hosts=("town.example",)).accepted_hosts
    for header in ("evil.example", "evil.example:8080", "localhost.evil.test", "", "[::1",
                   "localhost:8080:8080", "town.example@evil.example", "2130706433"):  # fmt: skip
        assert not is_accepted(header, accepted, "192.168.1.5")
    for header in ("town.example", "Town.Example.:8080", "192.168.1.5:8080"):
        assert is_accepted(header, accepted, "192.168.1.5")


def test_names_of_this_machine_are_accepted_on_loopback_only() -> None:
    for header in ("localhost:8080", "127.0.0.1", "[::1]:8080", "[::ffff:127.0.0.1]"):
        assert is_accepted(header, ServeConfig(host="127.0.0.1").accepted_hosts, "127.0.0.1")
        assert not is_accepted(header, ServeConfig(host="10.0.0.1").accepted_hosts, "10.0.0.1")
    assert is_accepted("10.0.0.1:80", ServeConfig(host="10.0.0.1").accepted_hosts, None)
    assert not is_accepted("0.0.0.0", ServeConfig(host="0.0.0.0").accepted_hosts, "10.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "localhost."])
def test_the_service_checks_the_host_wherever_it_listens(connect: Connect, host: str) -> None:
    client = connect(host=host, allowed_hosts=("town.example",))
    for name, status in (("evil.example", 403), ("town.example", 200), ("town.example:80", 200)):
        assert client.get("/v1/maps", headers={"Host": name}).status_code == status


@pytest.mark.parametrize("name", ["http://town.example", "town.example:80", "a b", ""])
def test_allowed_hosts_must_be_names(name: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        ServeConfig(allowed_hosts=(name,))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "server.example"])
def test_beyond_this_machine_a_token_is_needed(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HLOC_LITE_TOKEN", raising=False)
    with pytest.raises(SystemExit) as end:
        main(["serve", str(tmp_path), "--host", host])
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert "--token-file" in told and "--insecure" in told and "Traceback" not in told
    with pytest.raises(ConfigError):
        ServeConfig(host=host).check_token(None)
    ServeConfig(host=host).check_token("a-long-enough-token")
    ServeConfig(host=host, insecure=True).check_token(None)
    ServeConfig().check_token(None)
