//! Deletes code that neither functions nor layers name any more and nobody uses.
//!
//! What is in the store, and who uses it, is for `everstep_worker::code` to know; here is what documents say.

use std::sync::Arc;

use everstep_store::Catalog;
use everstep_worker::code::{Named, Store};
use tokio::sync::watch;
use tracing::{debug, error};

use crate::functions::Functions;
use crate::http::error::Error;
use crate::layers::{Layers, digests};
use crate::limits::CODE_SWEEP_PAUSE;

/// The documents that name code.
pub struct Documents {
    /// Where they are.
    pub catalog: Arc<dyn Catalog>,
    /// The functions, whose versions name their code and the layers they use.
    pub functions: Functions,
    /// The layers.
    pub layers: Layers,
}

/// Sweeps at the start and whenever something may be needed no more, until the server stops.
pub async fn run(code: Arc<Store>, documents: Documents, mut stop: watch::Receiver<bool>) {
    code.want_sweep();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = code.sweep_wanted() => {}
        }
        match sweep(&code, &documents).await {
            Ok(0) => {}
            Ok(gone) => debug!(gone, "code that nobody needs was deleted"),
            Err(error) => error!(error = format!("{error:#}"), "code that nobody needs could not be deleted"),
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(CODE_SWEEP_PAUSE) => {}
        }
    }
}

/// Deletes what nobody needs. Returns how much it was.
async fn sweep(code: &Store, documents: &Documents) -> anyhow::Result<usize> {
    let sweep = code.begin_sweep();
    // Whoever asked for a write and went away pins nothing any more; what was to be written may yet appear.
    documents.catalog.settle().await?;
    let named = documents.named().await?;
    let swept = tokio::task::spawn_blocking(move || sweep.finish(&named));
    Ok(swept.await.expect("deleting does not panic")?)
}

impl Documents {
    async fn named(&self) -> Result<Named, Error> {
        let mut named = Named::default();
        for function in self.functions.all().await? {
            for configuration in function.versions.values().chain([&function.latest]) {
                named.package(&configuration.code.digest);
                named.merge(&digests(&configuration.layers));
            }
        }
        for layer in self.layers.all().await? {
            layer.versions.values().for_each(|version| named.package(&version.code.digest));
        }
        Ok(named)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use everstep_core::id::Place;
    use everstep_store::Kind;
    use everstep_store::sqlite::Sqlite;
    use everstep_worker::code::CodeRef;
    use serde_json::{Value, json};

    use super::*;

    fn open(data: &Path) -> (Store, Documents) {
        let catalog: Arc<dyn Catalog> = Arc::new(Sqlite::open(data).unwrap());
        let place = Place { region: "us-east-1".into(), account: "123456789012".into() };
        let functions = Functions::new(catalog.clone(), place.clone());
        let layers = Layers::new(catalog.clone(), place);
        (Store::new(data), Documents { catalog, functions, layers })
    }

    fn put(code: &Store, name: &str) -> CodeRef {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        code.put(&zip.finish().unwrap().into_inner()).unwrap()
    }

    fn facts(code: &CodeRef) -> Value {
        json!({"sha256": code.sha256, "digest": code.digest, "size": code.size})
    }

    fn configuration(code: &CodeRef, layers: &[&CodeRef]) -> Value {
        let layers: Vec<Value> = layers.iter().map(|layer| json!({"arn": "a", "code": facts(layer)})).collect();
        json!({
            "revision_id": "r", "last_modified_millis": 0, "code": facts(code), "description": "", "runtime": "python3.13",
            "handler": "h", "role": "r", "timeout_seconds": 3, "memory_mb": 128, "environment": {}, "layers": layers,
        })
    }

    fn function(latest: Value, versions: Value) -> String {
        json!({"name": "f", "latest": latest, "versions": versions, "next_version": 9, "aliases": {}}).to_string()
    }

    #[tokio::test]
    async fn what_a_document_names_stays() {
        let data = tempfile::tempdir().unwrap();
        let (code, documents) = open(data.path());
        let names = ["latest", "version", "used by it", "used too", "layer", "nobody's"];
        let codes = names.map(|name| put(&code, name));
        let [latest, version, used, used_too, layer, _] = &codes;
        let layers = [used, used_too].map(|layer| layer.digest.clone());
        let merge = code.merge(&layers).unwrap().dir().to_owned();
        let body = function(configuration(latest, &[]), json!({"1": configuration(version, &[used, used_too])}));
        documents.catalog.put(Kind::Function, "f", None, body).await.unwrap();
        let version = json!({
            "code": facts(layer), "created_millis": 0, "description": "", "license_info": null,
            "compatible_runtimes": [], "compatible_architectures": [],
        });
        let body = json!({"name": "l", "versions": {"1": version}, "next_version": 2}).to_string();
        documents.catalog.put(Kind::Layer, "l", None, body).await.unwrap();
        let dirs = codes.map(|code| code.pin.dir().to_owned());
        assert_eq!(sweep(&code, &documents).await.unwrap(), 1);
        assert_eq!(dirs.map(|dir| dir.exists()), [true, true, true, true, true, false]);
        assert!(merge.exists());
    }

    #[tokio::test]
    async fn what_a_document_names_that_is_still_being_written_stays() {
        let data = tempfile::tempdir().unwrap();
        let (code, documents) = open(data.path());
        let stored = put(&code, "code");
        let padding = "x".repeat(1_000_000);
        let before = (0..8).map(|number| (Kind::StackTemplate, number.to_string(), padding.clone()));
        let body = function(configuration(&stored, &[]), json!({}));
        for (kind, key, body) in before.chain([(Kind::Function, "f".to_string(), body)]) {
            // Whoever asked goes away.
            tokio::select! {
                biased;
                _ = documents.catalog.put(kind, &key, None, body) => {}
                () = std::future::ready(()) => {}
            }
        }
        drop(stored);
        assert_eq!(sweep(&code, &documents).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn nothing_goes_if_a_document_cannot_be_read() {
        let data = tempfile::tempdir().unwrap();
        let (code, documents) = open(data.path());
        drop(put(&code, "code"));
        documents.catalog.put(Kind::Function, "f", None, "{}".into()).await.unwrap();
        sweep(&code, &documents).await.unwrap_err();
        assert_eq!(data.path().join("code").read_dir().unwrap().count(), 1);
    }
}
