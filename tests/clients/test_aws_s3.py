"""`aws s3`, unmodified: directories are synchronised, addresses presigned; the same over TLS."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from everstep_server import EverstepServer
from test_aws_cli import AWS
from test_serve import certificate

MIB = 1024 * 1024


class S3:
    """The command `aws s3` against one server."""

    def __init__(self, server: EverstepServer, **environment: str) -> None:
        """Prepare it."""
        self.environment = server.environment() | environment

    def __call__(self, *arguments: str) -> list[str]:
        """Run a command that must succeed; return the lines that it prints."""
        command = [str(AWS), "s3", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return sorted(done.stdout.splitlines())


def tree(directory: Path) -> dict[str, bytes]:
    """Return the files of a directory by their names."""
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def test_directory_is_synchronised_both_ways(server: EverstepServer, tmp_path: Path):
    (tmp_path / "config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    s3 = S3(server, AWS_CONFIG_FILE=str(tmp_path / "config"))
    bucket = f"s3://sync-{uuid.uuid4()}"
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "inner").mkdir(parents=True)
    (here / "a.txt").write_text("first")
    (here / "empty").write_text("")
    # So large that it goes in parts.
    (here / "inner" / "large").write_bytes(os.urandom(9 * MIB))
    s3("mb", bucket)
    sync = ("sync", "--no-progress", str(here), f"{bucket}/kept")
    assert len(s3(*sync)) == 3
    assert s3(*sync) == []
    (here / "a.txt").write_text("second, and longer")
    (here / "empty").unlink()
    changed = s3(*sync, "--delete")
    assert [line.split()[0] for line in changed] == ["delete:", "upload:"]
    s3("sync", "--no-progress", f"{bucket}/kept", str(there))
    assert tree(there) == tree(here)
    [address] = s3("presign", f"{bucket}/kept/a.txt", "--expires-in", "60")
    assert urllib.request.urlopen(address).read() == b"second, and longer"
    s3("rb", bucket, "--force")


def test_checksums_trail_behind_objects_over_tls(tmp_path: Path):
    certificate(tmp_path, 1)
    files = ("--tls-certificate", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"))
    authority = str(tmp_path / "ca.pem")
    with EverstepServer(tmp_path / "data", *files) as server:
        client = server.client(service="s3", verify=authority)
        sent: list[Any] = []
        client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
        client.create_bucket(Bucket="secure")
        body = os.urandom(MIB)
        put = client.put_object(Bucket="secure", Key="a", Body=io.BytesIO(body), ChecksumAlgorithm="SHA256")
        assert sent[0]["x-amz-content-sha256"] == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        assert sent[0]["x-amz-trailer"] == b"x-amz-checksum-sha256"
        assert put["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
        assert client.get_object(Bucket="secure", Key="a")["Body"].read() == body
        # A body that is not what its trailer says is refused, and nothing is kept.
        client.meta.events.register("before-send.s3.PutObject", spoilt)
        with pytest.raises(ClientError, match="BadDigest"):
            client.put_object(Bucket="secure", Key="b", Body=io.BytesIO(body), ChecksumAlgorithm="SHA256")
        s3 = S3(server, AWS_CA_BUNDLE=authority)
        s3("cp", "--no-progress", "s3://secure/a", str(tmp_path / "a"))
        assert (tmp_path / "a").read_bytes() == body
        assert [line.split()[-1] for line in s3("ls", "s3://secure")] == ["a"]


def spoilt(request: Any, **_: Any) -> None:
    """Change a byte of a body on its way, behind the line that tells its length."""
    body = bytearray(request.body.read())
    body[1000] ^= 1
    request.body = bytes(body)
