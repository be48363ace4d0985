"""Amazon S3 as boto3 asks for it: buckets, objects, lists, uploads in parts, checksums, versions."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from deployment import ROLE
from everstep_server import ACCOUNT, REGION, EverstepServer

MIB = 1024 * 1024


@pytest.fixture(scope="session")
def s3(server: EverstepServer) -> Any:
    return server.client(service="s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"test-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """Return the code and the status of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_buckets_are_created_listed_and_deleted_when_empty(s3: Any, bucket: str):
    s3.head_bucket(Bucket=bucket)
    names = [known["Name"] for known in s3.list_buckets()["Buckets"]]
    assert bucket in names and f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}" in names
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    assert refused(lambda: s3.delete_bucket(Bucket=bucket)) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_bucket(Bucket=bucket)
    assert refused(lambda: s3.head_bucket(Bucket=bucket)) == ("404", 404)
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="a", Body=b"a")) == ("NoSuchBucket", 404)
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="a")) == ("NoSuchBucket", 404)


def test_whoever_is_refused_before_the_body_keeps_no_connection_that_waits_for_it(server: EverstepServer):
    address = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest("PUT", "/missing/a")
    connection.putheader("Content-Length", "1")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (403, "close")


def test_bucket_in_another_region_than_the_first_may_not_be_there_already(
    own_server: Callable[..., EverstepServer],
):
    s3 = own_server(arguments=("--region", "eu-central-1")).client(service="s3", region_name="eu-central-1")
    there = {"LocationConstraint": "eu-central-1"}
    make = lambda: s3.create_bucket(Bucket="twice", CreateBucketConfiguration=there)  # noqa: E731
    make()
    assert refused(make) == ("BucketAlreadyOwnedByYou", 409)
    assert s3.get_bucket_location(Bucket="twice")["LocationConstraint"] == "eu-central-1"


def test_objects_come_back_as_they_were_put(s3: Any, bucket: str):
    key = "a b/ü+%25?&=.txt"
    body = os.urandom(100_000)
    put = s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        ContentType="text/plain; charset=utf-8",
        CacheControl="no-store",
        Metadata={"who": "me"},
        ServerSideEncryption="AES256",
        Tagging="one=1&two=a%20b",
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == body
    assert (got["ContentType"], got["CacheControl"]) == ("text/plain; charset=utf-8", "no-store")
    assert (got["Metadata"], got["TagCount"], got["ServerSideEncryption"]) == ({"who": "me"}, 2, "AES256")
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (100_000, put["ETag"])
    tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    assert tags == [{"Key": "one", "Value": "1"}, {"Key": "two", "Value": "a b"}]
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "three", "Value": "3"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "three", "Value": "3"}]
    s3.delete_object(Bucket=bucket, Key=key)
    assert refused(lambda: s3.get_object(Bucket=bucket, Key=key)) == ("NoSuchKey", 404)
    assert refused(lambda: s3.head_object(Bucket=bucket, Key=key)) == ("404", 404)
    s3.delete_object(Bucket=bucket, Key=key)


def test_parts_of_objects_and_conditions(s3: Any, bucket: str):
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")["ETag"]
    for asked, expected, shown in [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ]:
        got = s3.get_object(Bucket=bucket, Key="a", Range=asked)
        assert (got["Body"].read(), got["ContentRange"]) == (expected, shown)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="a", Range="bytes=10-")) == ("InvalidRange", 416)
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="a", IfMatch='"x"')) == ("PreconditionFailed", 412)
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="a", IfNoneMatch=etag)) == ("304", 304)
    modified = s3.head_object(Bucket=bucket, Key="a")["LastModified"]
    assert refused(lambda: s3.head_object(Bucket=bucket, Key="a", IfModifiedSince=modified)) == ("304", 304)
    s3.get_object(Bucket=bucket, Key="a", IfUnmodifiedSince=modified, IfMatch=etag)
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="a", Body=b"", IfNoneMatch="*")) == (
        "PreconditionFailed",
        412,
    )
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="a", Body=b"", IfMatch='"x"'))[1] == 412
    s3.put_object(Bucket=bucket, Key="a", Body=b"new", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="b", Body=b"new", IfNoneMatch="*")


def test_lists_page_and_fold(s3: Any, bucket: str):
    keys = ["a", "a/1", "a/2", "a/b/3", "b", "b/1", "c d", "é"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

    def listed(**asked: Any) -> tuple[list[str], list[str]]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, **asked)
        pages = list(pages)
        contents = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        return contents, prefixes

    for size in (1, 2, 3, 1000):
        page = {"PaginationConfig": {"PageSize": size}}
        assert listed(**page) == (keys, [])
        assert listed(Delimiter="/", **page) == (["a", "b", "c d", "é"], ["a/", "b/"])
        assert listed(Prefix="a/", Delimiter="/", **page) == (["a/1", "a/2"], ["a/b/"])
        assert listed(Prefix="a", **page) == (keys[:4], [])
        assert listed(StartAfter="a/2", **page) == (keys[3:], [])
        assert listed(Prefix="nothing", **page) == ([], [])
        old = s3.get_paginator("list_objects").paginate(Bucket=bucket, Delimiter="/", **page)
        assert [entry["Key"] for page in old for entry in page.get("Contents", [])] == ["a", "b", "c d", "é"]
    one = s3.list_objects_v2(Bucket=bucket, MaxKeys=1, Prefix="a/1")
    assert (one["KeyCount"], one["IsTruncated"], one["Contents"][0]["Size"]) == (1, False, 3)
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*keys[1:], "never"]]})
    assert {entry["Key"] for entry in gone["Deleted"]} == {*keys[1:], "never"}
    assert listed() == (["a"], [])


def test_checksums_are_verified_and_returned(s3: Any, bucket: str):
    # Of the others this client makes none without another package.
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        member = f"Checksum{algorithm}"
        put = s3.put_object(Bucket=bucket, Key="a", Body=b"content", ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
        assert got["Body"].read() == b"content"
        assert got[member] == put[member]
        wrong = {member: put[member][:-4] + "AAA="}
        assert refused(lambda: s3.put_object(Bucket=bucket, Key="a", Body=b"other", **wrong)) == ("BadDigest", 400)
    assert refused(
        lambda: s3.put_object(Bucket=bucket, Key="b", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    ) == ("BadDigest", 400)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    attributes = s3.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    assert (attributes["ObjectSize"], attributes["Checksum"]["ChecksumType"]) == (7, "FULL_OBJECT")


def test_large_objects_are_uploaded_in_parts_and_read_as_one(s3: Any, bucket: str, tmp_path: Any):
    source, copy = tmp_path / "source", tmp_path / "copy"
    body = os.urandom(5 * MIB) * 2 + b"end"
    source.write_bytes(body)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(str(source), bucket, "large", Config=config, ExtraArgs={"Metadata": {"who": "me"}})
    head = s3.head_object(Bucket=bucket, Key="large", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"') and head["ContentLength"] == len(body) and head["Metadata"] == {"who": "me"}
    s3.download_file(bucket, "large", str(copy), Config=config)
    assert copy.read_bytes() == body
    part = s3.get_object(Bucket=bucket, Key="large", PartNumber=3)
    assert (part["Body"].read(), part["PartsCount"]) == (b"end", 3)
    across = s3.get_object(Bucket=bucket, Key="large", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    assert across["Body"].read() == body[5 * MIB - 2 : 5 * MIB + 2]
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "large"})
    assert copied["CopyObjectResult"]["ETag"] == head["ETag"]
    s3.delete_object(Bucket=bucket, Key="large")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body


def test_uploads_are_listed_checked_and_given_up(s3: Any, bucket: str):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")
    asked = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    put = [
        s3.upload_part(**asked, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        for number, body in [(2, b"two"), (1, b"one"), (2, b"TWO")]
    ]
    parts = s3.list_parts(**asked)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in parts] == [(1, 3), (2, 3)]
    assert [known["Key"] for known in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["k"]
    assert refused(lambda: s3.delete_bucket(Bucket=bucket)) == ("BucketNotEmpty", 409)

    def complete(*named: tuple[int, str]) -> Any:
        given = [{"PartNumber": number, "ETag": etag} for number, etag in named]
        return s3.complete_multipart_upload(**asked, MultipartUpload={"Parts": given})

    one, two = put[1]["ETag"], put[2]["ETag"]
    assert refused(lambda: complete((1, one), (2, put[0]["ETag"]))) == ("InvalidPart", 400)
    assert refused(lambda: complete((2, two), (1, one))) == ("InvalidPartOrder", 400)
    assert refused(lambda: complete((1, one), (2, two))) == ("EntityTooSmall", 400)
    done = complete((2, two))
    assert done["ETag"].endswith('-1"') and done["ChecksumSHA256"].endswith("-1")
    assert refused(lambda: s3.list_parts(**asked)) == ("NoSuchUpload", 404)
    other = s3.create_multipart_upload(Bucket=bucket, Key="k")
    s3.upload_part(Bucket=bucket, Key="k", UploadId=other["UploadId"], PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=other["UploadId"])
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert refused(lambda: s3.upload_part(**asked, PartNumber=0, Body=b"")) == ("InvalidArgument", 400)


def test_versions_are_kept_where_they_are_asked_for(s3: Any, bucket: str):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    read = lambda version: s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read()  # noqa: E731
    assert (read("null"), read(first), read(second)) == (b"before", b"first", b"second")
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="k")) == ("NoSuchKey", 404)
    assert refused(lambda: read(marker["VersionId"])) == ("MethodNotAllowed", 405)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    listed = s3.list_object_versions(Bucket=bucket)
    assert [version["VersionId"] for version in listed["Versions"]] == [second, first, "null"]
    assert [entry["IsLatest"] for entry in listed["DeleteMarkers"]] == [True]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"
    for version in (first, second, "null"):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    assert refused(lambda: read(first)) == ("NoSuchVersion", 404)
    s3.delete_bucket(Bucket=bucket)


def test_settings_are_kept_and_returned(s3: Any, bucket: str):
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert refused(lambda: s3.get_bucket_policy(Bucket=bucket)) == ("NoSuchBucketPolicy", 404)
    assert refused(lambda: s3.get_bucket_tagging(Bucket=bucket)) == ("NoSuchTagSet", 404)
    assert refused(lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket)) == (
        "NoSuchLifecycleConfiguration",
        404,
    )
    policy = '{"Version": "2012-10-17", "Statement": []}'
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    assert refused(lambda: s3.put_bucket_policy(Bucket=bucket, Policy="no")) == ("MalformedPolicy", 400)
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(lambda: s3.get_bucket_policy(Bucket=bucket)) == ("NoSuchBucketPolicy", 404)
    tags = [{"Key": "stage", "Value": "test"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["ID"] == "old"
    kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=kms)
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms"}
    assert refused(lambda: s3.get_bucket_website(Bucket=bucket)) == ("NotImplemented", 501)


def test_presigned_addresses_are_good_for_what_they_say(server: EverstepServer, bucket: str):
    s3 = server.client(service="s3", config=Config(signature_version="s3v4"))
    asked = {"Bucket": bucket, "Key": "a b/ü.txt"}
    put = urllib.request.Request(s3.generate_presigned_url("put_object", asked), data=b"by address", method="PUT")
    assert urllib.request.urlopen(put).status == 200
    address = s3.generate_presigned_url("get_object", asked, ExpiresIn=60)
    assert urllib.request.urlopen(address).read() == b"by address"
    named = s3.generate_presigned_url("get_object", asked | {"ResponseContentType": "text/x"})
    assert urllib.request.urlopen(named).headers["Content-Type"] == "text/x"
    for bad in (address.replace("%20", "%21"), address.replace("Expires=60", "Expires=61")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(bad)
        assert caught.value.status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in caught.value.read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(s3.generate_presigned_url("get_object", asked, ExpiresIn=-1))
    assert caught.value.status == 403
    old = server.client(service="s3", config=Config(signature_version="s3"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(old.generate_presigned_url("get_object", asked))
    assert caught.value.status == 400 and b"Please use AWS4-HMAC-SHA256" in caught.value.read()


def test_strangers_are_refused_in_s3s_terms(server: EverstepServer, bucket: str):
    wrong = server.client(service="s3", aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x")
    assert refused(lambda: wrong.list_objects_v2(Bucket=bucket)) == ("InvalidAccessKeyId", 403)
    key, _ = server.credentials()
    wrong = server.client(service="s3", aws_access_key_id=key, aws_secret_access_key="x")
    assert refused(lambda: wrong.put_object(Bucket=bucket, Key="a", Body=b"x" * MIB)) == ("SignatureDoesNotMatch", 403)


def test_rivals_write_whole_objects(server: EverstepServer, s3: Any, bucket: str):
    bodies = [bytes([number]) * 300_000 for number in range(8)]
    rivals = [
        threading.Thread(target=lambda body: s3.put_object(Bucket=bucket, Key="one", Body=body), args=[body])
        for body in bodies
    ]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() in bodies


def test_killed_server_leaves_nothing_of_what_was_not_acknowledged(own_server: Callable[..., EverstepServer]):
    server = own_server()
    s3 = server.client(service="s3", config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}))
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="kept", Body=b"kept")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
    asked = {"Bucket": "bucket", "Key": "parts", "UploadId": upload}
    part = s3.upload_part(**asked, PartNumber=1, Body=b"a part")
    begun, killed = threading.Event(), threading.Event()

    class Half:
        """A body of which one half comes and then the server is killed."""

        left = 2

        def __len__(self) -> int:
            return 2 * MIB

        def read(self, _size: int = -1) -> bytes:
            self.left -= 1
            if self.left == 0:
                begun.set()
                killed.wait(60)
            return b"x" * MIB

    def put() -> None:
        address = s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "lost"})
        headers = {"Content-Length": str(2 * MIB)}
        with pytest.raises(OSError):
            urllib.request.urlopen(urllib.request.Request(address, data=Half(), headers=headers, method="PUT"))

    directory = server.data / "objects"
    sender = threading.Thread(target=put)
    sender.start()
    assert begun.wait(60)
    server.kill()
    killed.set()
    sender.join()
    server.start()
    names = {hashlib.sha256(content).hexdigest() for content in (b"kept", b"a part")}
    assert {path.name for path in directory.iterdir()} == names
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["kept"]
    assert s3.get_object(Bucket="bucket", Key="kept")["Body"].read() == b"kept"
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**asked, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="bucket", Key="parts")["Body"].read() == b"a part"
    for key in ("kept", "parts"):
        s3.delete_object(Bucket="bucket", Key=key)
    assert list(directory.iterdir()) == []


def test_code_and_layers_come_from_buckets_and_are_copied(client: Any, s3: Any, bucket: str):
    code, other = io.BytesIO(), io.BytesIO()
    for target, answer in ((code, "from a bucket"), (other, "second")):
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("app.py", f"def handler(event, context):\n    return {answer!r}\n")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="code.zip", Body=code.getvalue())["VersionId"]
    s3.put_object(Bucket=bucket, Key="code.zip", Body=other.getvalue())
    name, place = f"s3-{uuid.uuid4()}", {"S3Bucket": bucket, "S3Key": "code.zip"}
    made = client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=ROLE,
        Code=place | {"S3ObjectVersion": first},
    )
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(code.getvalue()).digest()).decode()
    layer = client.publish_layer_version(LayerName=name, Content=place)
    assert layer["Content"]["CodeSize"] == len(other.getvalue())
    s3.delete_object(Bucket=bucket, Key="code.zip")
    assert json.load(client.invoke(FunctionName=name)["Payload"]) == "from a bucket"
    for place, code, message in [
        ({"S3Bucket": bucket, "S3Key": "none"}, "NoSuchKey", "The specified key does not exist."),
        ({"S3Bucket": "no-such-bucket", "S3Key": "k"}, "NoSuchBucket", "The specified bucket does not exist"),
    ]:
        with pytest.raises(client.exceptions.InvalidParameterValueException) as caught:
            client.update_function_code(FunctionName=name, **place)
        expected = f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
        assert caught.value.response["Error"]["Message"] == expected
    client.delete_function(FunctionName=name)
    client.delete_layer_version(LayerName=name, VersionNumber=1)
