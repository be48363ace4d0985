//! The code of a function as the API takes it: a zip in base64, from a zip file or from a directory.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Reads a zip file, or zips a directory. Returns it in base64.
///
/// # Errors
/// If it cannot be read, or is neither.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = if path.is_dir() {
        zip_directory(path)?
    } else {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            bytes.starts_with(b"PK"),
            "{} is no zip file: name a zip file, or the directory that the code is in",
            path.display()
        );
        bytes
    };
    Ok(STANDARD.encode(bytes))
}

/// Zips what is in a directory, in the order of names, so that the same files make the same zip.
pub fn zip_directory(root: &Path) -> anyhow::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut directories = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_none_or(|extension| extension != "pyc") {
                files.push(path);
            }
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "there is nothing in {}", root.display());
    for path in files {
        let name = path.strip_prefix(root)?.to_str().with_context(|| format!("{} has an odd name", path.display()))?;
        let read = |path: &Path| anyhow::Ok((fs::metadata(path)?.permissions().mode(), fs::read(path)?));
        let (mode, bytes) = read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let options =
            SimpleFileOptions::default().last_modified_time(zip::DateTime::default()).unix_permissions(mode & 0o777);
        zip.start_file(name, options)?;
        zip.write_all(&bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_zipped_with_their_modes_and_other_files_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read(directory.path()).unwrap_err().to_string().contains("nothing in"));
        fs::create_dir(directory.path().join("b")).unwrap();
        fs::write(directory.path().join("b/module.py"), "x = 1").unwrap();
        fs::write(directory.path().join("b/module.pyc"), "compiled").unwrap();
        let bootstrap = directory.path().join("bootstrap");
        fs::write(&bootstrap, "#!/bin/sh").unwrap();
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).unwrap();
        let zipped = zip_directory(directory.path()).unwrap();
        assert_eq!(zipped, zip_directory(directory.path()).unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(zipped)).unwrap();
        assert_eq!(archive.file_names().collect::<Vec<_>>(), ["b/module.py", "bootstrap"]);
        assert_eq!(archive.by_name("bootstrap").unwrap().unix_mode().unwrap() & 0o777, 0o755);
        assert!(read(&bootstrap).unwrap_err().to_string().contains("no zip file"));
    }
}
