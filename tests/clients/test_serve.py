"""How a server is set up: which setting wins, several addresses, TLS."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, SSLError

from command_line import CommandLine
from deployment import FUNCTIONS
from everstep_server import BINARY, EverstepServer, eventually
from executions import call


@pytest.mark.parametrize(
    ("setting", "flag", "variable", "file", "expected"),
    [
        ("region", None, None, None, '"us-east-1"'),
        ("region", None, None, 'region = "eu-west-1"', '"eu-west-1"'),
        ("region", None, "eu-west-2", 'region = "eu-west-1"', '"eu-west-2"'),
        ("region", "eu-west-3", "eu-west-2", 'region = "eu-west-1"', '"eu-west-3"'),
        ("region", "eu-west-3", "eu-west-2", None, '"eu-west-3"'),
        ("region", None, "eu-west-2", None, '"eu-west-2"'),
        ("listen", None, None, None, '["127.0.0.1:9000"]'),
        ("listen", None, None, 'listen = "127.0.0.1:1"', '["127.0.0.1:1"]'),
        ("listen", None, None, 'listen = ["127.0.0.1:1", "[::1]:2"]', '["127.0.0.1:1", "[::1]:2"]'),
        ("listen", None, "127.0.0.1:3,[::1]:4", 'listen = "127.0.0.1:1"', '["127.0.0.1:3", "[::1]:4"]'),
        ("listen", "127.0.0.1:5", "127.0.0.1:3,[::1]:4", 'listen = "127.0.0.1:1"', '["127.0.0.1:5"]'),
        ("movable_clock", None, None, "movable_clock = true", "true"),
        ("movable_clock", None, "false", "movable_clock = true", "false"),
        ("movable_clock", "true", "false", None, "true"),
        ("idle_seconds", "7", "8", "idle_seconds = 9", "7"),
        ("processes", None, "8", "processes = 9", "8"),
    ],
)
def test_flags_win_over_environment_over_file_over_defaults(
    setting: str, flag: str | None, variable: str | None, file: str | None, expected: str, tmp_path: Path
):
    name = setting.replace("_", "-")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EVERSTEP_")}
    arguments = [f"--{name}={flag}"] if flag else []
    if variable:
        environment[f"EVERSTEP_{setting.upper()}"] = variable
    if file:
        (tmp_path / "everstep.toml").write_text(file)
        environment["EVERSTEP_CONFIG"] = str(tmp_path / "everstep.toml")
    command = [str(BINARY), "serve", "--show-settings", *arguments]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert f"{setting} = {expected}\n" in shown


@pytest.mark.parametrize(
    ("arguments", "file", "code", "said"),
    [
        (["--tls-certificate", "c.pem"], None, 2, "--tls-key"),
        (["--listen", "nowhere"], None, 2, "invalid value 'nowhere'"),
        ([], "colour = 1", 1, "unknown field `colour`"),
        ([], "listen = []", 1, "no address to listen on"),
        (["--tls-certificate", "c.pem", "--tls-key", "k.pem"], None, 1, "cannot read the certificate in c.pem"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    arguments: list[str], file: str | None, code: int, said: str, tmp_path: Path
):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EVERSTEP_")}
    if file:
        (tmp_path / "everstep.toml").write_text(file)
        environment["EVERSTEP_CONFIG"] = str(tmp_path / "everstep.toml")
    command = [str(BINARY), "serve", "--data", str(tmp_path / "data"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert said in done.stderr, done.stderr


def openssl(directory: Path, *arguments: str) -> None:
    """Run openssl; its chatter is kept to itself."""
    subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, check=True)


def certificate(directory: Path, serial: int) -> None:
    """Make `server.pem` for loopback, and its key, signed by the authority of the directory, made if need be."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    if not (directory / "ca.pem").exists():
        openssl(directory, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl(directory, "req", *curve, "-keyout", "new.key", "-out", "new.csr", "-subj", "/CN=server")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", str(serial), "-days", "2", "-extfile", "names"]
    openssl(directory, "x509", "-req", "-in", "new.csr", "-out", "new.pem", *signed)
    (directory / "new.key").replace(directory / "server.key")
    (directory / "new.pem").replace(directory / "server.pem")


def serial_shown(url: str, authority: Path) -> int:
    """Return the serial number of the certificate that a server shows."""
    port = int(url.rpartition(":")[2])
    shown = ssl.get_server_certificate(("127.0.0.1", port), ca_certs=str(authority))
    text = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown, capture_output=True, text=True, check=True)
    return int(text.stdout.partition("=")[2], 16)


def test_tls_with_certificates_that_are_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    certificate(tmp_path, 1)
    files = ["--tls-certificate", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key")]
    with EverstepServer(tmp_path / "data", *files, "--listen", "127.0.0.1:0") as server:
        assert server.url.startswith("https://127.0.0.1:")
        authority = tmp_path / "ca.pem"
        client = server.client(verify=str(authority))
        for name in ("python-durable", "python-plain"):
            client.create_function(**FUNCTIONS[name].arguments(name))
            client.get_waiter("function_active_v2").wait(FunctionName=name)
        # The SDK in the process checkpoints by an address that needs no certificate.
        answer = call(client, "python-durable", {"case": "step_wait_step", "seconds": 1})
        assert answer["Payload"] == ["before", "after"]
        inside = call(client, "python-plain", {"do": "environment", "names": ["AWS_ENDPOINT_URL_LAMBDA"]})["Payload"]
        url = inside["AWS_ENDPOINT_URL_LAMBDA"]
        assert url.startswith("http://127.0.0.1:")
        with pytest.raises(ClientError, match="is for function processes"):
            server.client(endpoint_url=url).list_functions()
        # Not even a function URL is served there.
        asked = urllib.request.Request(url, headers={"Host": "abc.lambda-url.us-east-1.localhost"})
        with pytest.raises(urllib.request.HTTPError) as refused:
            urllib.request.urlopen(asked)
        assert refused.value.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
        with pytest.raises(SSLError):
            server.client().list_functions()
        second = next(line for line in server.log_tail().splitlines() if "listening" in line and server.url not in line)
        server.client(endpoint_url=second.split()[-1], verify=str(authority)).list_functions()

        everstep = CommandLine(server)
        monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
        assert "no server answers" in everstep.error("functions", "list", "--ca-bundle", "/etc/ssl/certs/ca-certificates.crt")
        assert "python-durable" in everstep("functions", "list", "--ca-bundle", str(authority))

        assert serial_shown(server.url, authority) == 1
        (tmp_path / "server.pem").write_text("nonsense")
        os.kill(server.pid, signal.SIGHUP)
        eventually("it says no", lambda: "stays as it was" in server.log_tail())
        assert serial_shown(server.url, authority) == 1
        certificate(tmp_path, 2)
        os.kill(server.pid, signal.SIGHUP)
        eventually("it shows the new one", lambda: serial_shown(server.url, authority) == 2)


def test_several_addresses_without_tls(tmp_path: Path):
    with EverstepServer(tmp_path / "data", "--listen", "127.0.0.1:0", "--listen", "[::1]:0") as server:

        def listening() -> list[str] | None:
            urls = [line.split()[-1] for line in server.log_tail().splitlines() if "listening" in line]
            return urls if len(urls) == 3 else None

        urls = eventually("it listens on all", listening)
        for url in urls:
            assert server.client(endpoint_url=url).list_functions()["Functions"] == []
        with pytest.raises(urllib.request.HTTPError, match="403"):
            urllib.request.urlopen(f"{urls[2]}/2015-03-31/functions")
