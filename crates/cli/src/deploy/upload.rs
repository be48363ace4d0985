//! Brings files to the server: each into Everstep's bucket for deployments, under its digest, and only if it is not there.

use anyhow::{bail, ensure};
use everstep_client::Request;
use sha2::{Digest, Sha256};

use super::text;
use crate::client::Client;

/// The bucket of deployments.
pub struct Bucket<'a> {
    client: &'a Client,
    /// Its name.
    pub name: String,
}

impl<'a> Bucket<'a> {
    /// Makes the bucket, unless it is there.
    pub async fn open(client: &'a Client) -> anyhow::Result<Self> {
        let caller = client.query("sts", "2011-06-15", "GetCallerIdentity", &Vec::new()).await?;
        let bucket = Self { client, name: format!("everstep-deployments-{}", text(&caller, "Account")) };
        match bucket.send("HEAD", "", Vec::new()).await? {
            200 => {}
            404 => bucket.expect("PUT", "", Vec::new()).await?,
            status => bail!("the bucket `{}` cannot be used (status {status})", bucket.name),
        }
        Ok(bucket)
    }

    /// Uploads a file. Returns its key.
    pub async fn put(&self, bytes: &[u8], extension: &str) -> anyhow::Result<String> {
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let key = format!("{digest}.{extension}");
        if self.send("HEAD", &key, Vec::new()).await? == 404 {
            self.expect("PUT", &key, bytes.to_vec()).await?;
        }
        Ok(key)
    }

    async fn expect(&self, method: &str, key: &str, body: Vec<u8>) -> anyhow::Result<()> {
        let status = self.send(method, key, body).await?;
        ensure!(status == 200, "cannot upload to the bucket `{}` (status {status})", self.name);
        Ok(())
    }

    async fn send(&self, method: &str, key: &str, body: Vec<u8>) -> anyhow::Result<u16> {
        let path = format!("/{}/{key}", self.name);
        let request = Request { method, path: path.trim_end_matches('/'), headers: &[], body };
        Ok(self.client.exchange("s3", request).await?.status)
    }
}
