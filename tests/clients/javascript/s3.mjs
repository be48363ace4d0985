// Uses a bucket through the AWS SDK for JavaScript v3 and prints what it saw as one JSON document.

import { createHash, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const require = createRequire(process.env.CLIENT_MODULES);
const s3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const client = new s3.S3Client({ forcePathStyle: true, maxAttempts: 1 });
const Bucket = process.argv[2];
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
const read = async (Key) => (await client.send(new s3.GetObjectCommand({ Bucket, Key }))).Body.transformToByteArray();

const seen = {};

await client.send(new s3.CreateBucketCommand({ Bucket }));
const Key = "a b/ü+%.txt";
const put = await client.send(new s3.PutObjectCommand({ Bucket, Key, Body: "hello", Metadata: { who: "me" } }));
const got = await client.send(new s3.GetObjectCommand({ Bucket, Key }));
seen.object = { text: await got.Body.transformToString(), metadata: got.Metadata, checksum: put.ChecksumCRC32 };

// A stream goes in parts, and its length is not known before its end.
const body = randomBytes(6 * 1024 * 1024);
const upload = new Upload({ client, params: { Bucket, Key: "large", Body: Readable.from([body]) } });
const uploaded = await upload.done();
seen.large = { parts: /-2"$/.test(uploaded.ETag), same: digest(await read("large")) === digest(body) };

seen.keys = [];
for await (const page of s3.paginateListObjectsV2({ client, pageSize: 1 }, { Bucket })) {
  seen.keys.push(...page.Contents.map((object) => object.Key));
}

const signed = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key }), { expiresIn: 60 });
seen.presigned = await (await fetch(signed)).text();

const missing = await client.send(new s3.GetObjectCommand({ Bucket, Key: "missing" })).catch((error) => error);
seen.missing = [missing instanceof s3.NoSuchKey, missing.$metadata.httpStatusCode];

const Delete = { Objects: seen.keys.map((name) => ({ Key: name })) };
const { Deleted } = await client.send(new s3.DeleteObjectsCommand({ Bucket, Delete }));
seen.deleted = Deleted.length;
await client.send(new s3.DeleteBucketCommand({ Bucket }));

process.stdout.write(JSON.stringify(seen));
