//! Runtimes in one file, for machines that reach no registry.
//!
//! ```text
//! bundle.json         what is in here, for which kind of machine, with a digest of each directory
//! python-3.13/…       the directories as they stand below the runtimes directory
//! sdk-python3.13-…/…
//! ```
//!
//! All of it is a gzipped tar file. Reading one believes nothing: only the directories that this version of Everstep
//! looks for come out, nothing is written through a link, no link leads out of its directory, and nothing appears
//! before all of it is there and has the right digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use crate::limits;

/// The form that is written and read.
const FORMAT: u32 = 1;

/// The first entry.
const MANIFEST: &str = "bundle.json";

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version of Everstep that made it.
    pub(super) everstep: String,
    /// Such as `linux-x86_64`.
    machine: String,
    /// The runtimes that are whole in it, by id.
    pub(super) runtimes: Vec<String>,
    /// The digest of each directory.
    directories: BTreeMap<String, String>,
}

/// Why a bundle was not made or not read. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// It is no bundle, not whole, or not for here.
    #[error("{0}")]
    Refused(String),
    /// The disk's fault.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Writes the named directories of `home` to `file`, which appears whole or not at all.
pub(super) fn write(
    home: &Path,
    directories: &BTreeSet<String>,
    runtimes: &[String],
    file: &Path,
) -> Result<(), Problem> {
    let digests = directories.iter().map(|name| Ok((name.clone(), digest(&home.join(name))?)));
    let manifest = Manifest {
        format: FORMAT,
        everstep: env!("CARGO_PKG_VERSION").into(),
        machine: machine(),
        runtimes: runtimes.to_vec(),
        directories: digests.collect::<io::Result<_>>()?,
    };
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = tempfile::NamedTempFile::new_in(parent)?;
    let mut archive = Builder::new(GzEncoder::new(BufWriter::new(fresh), Compression::default()));
    let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is JSON");
    archive.append_data(&mut header(EntryType::Regular, 0o644, text.len() as u64), MANIFEST, &text[..])?;
    for name in directories {
        append(&mut archive, home, Path::new(name))?;
    }
    let fresh = archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    fresh.as_file().set_permissions(Permissions::from_mode(0o644))?;
    fresh.as_file().sync_all()?;
    fresh.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Unpacks a bundle into an empty directory. `known` tells the names of directories that a runtime consists of.
pub(super) fn read(
    file: &Path,
    known: impl Fn(&str) -> Option<BTreeSet<String>>,
    into: &Path,
) -> Result<Manifest, Problem> {
    read_limited(file, known, into, limits::BUNDLE_BYTES_MAX)
}

/// Returns the directories that a manifest names.
pub(super) fn directories(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest.directories.keys().map(String::as_str)
}

fn read_limited(
    file: &Path,
    known: impl Fn(&str) -> Option<BTreeSet<String>>,
    into: &Path,
    bytes_max: u64,
) -> Result<Manifest, Problem> {
    // One byte more than allowed tells that there are more.
    let bytes = GzDecoder::new(BufReader::new(File::open(file)?)).take(bytes_max.saturating_add(1));
    let mut archive = Archive::new(bytes);
    let manifest = unpack(&mut archive, known, into);
    let mut rest = archive.into_inner();
    // The archive ends before the file does, and only the file's end tells that all of it is in order.
    let end = if manifest.is_ok() { io::copy(&mut rest, &mut io::sink()) } else { Ok(0) };
    if rest.limit() == 0 {
        return Err(Problem::Refused(format!("it has more than {bytes_max} bytes unpacked")));
    }
    let manifest = manifest?;
    end.map_err(cut_off)?;
    for (name, expected) in &manifest.directories {
        let path = into.join(name);
        if !path.is_dir() || digest(&path)? != *expected {
            return Err(Problem::Refused(format!("`{name}` in it is damaged: copy the file again")));
        }
    }
    Ok(manifest)
}

fn unpack(
    archive: &mut Archive<impl Read>,
    known: impl Fn(&str) -> Option<BTreeSet<String>>,
    into: &Path,
) -> Result<Manifest, Problem> {
    let no_bundle = || Problem::Refused("it is not a bundle of `everstep runtimes bundle`".into());
    let mut entries = archive.entries().map_err(|_| no_bundle())?;
    let first = entries.next().and_then(Result::ok).ok_or_else(no_bundle)?;
    if *first.path_bytes() != *MANIFEST.as_bytes() || first.size() > limits::BUNDLE_MANIFEST_BYTES_MAX {
        return Err(no_bundle());
    }
    let manifest: Manifest = serde_json::from_reader(first).map_err(|_| no_bundle())?;
    check(&manifest, known)?;
    let mut real_directories = BTreeSet::new();
    for entry in entries {
        let mut entry = entry.map_err(cut_off)?;
        let path = inside(&entry.path_bytes(), &manifest)?;
        let refused = |what: &str| Problem::Refused(format!("`{}` in it {what}", path.display()));
        // So nothing is written through a link, and nothing twice.
        let parent = path.parent().expect("it has components");
        if !parent.as_os_str().is_empty() && !real_directories.contains(parent) {
            return Err(refused("has no directory"));
        }
        let target = into.join(&path);
        match entry.header().entry_type() {
            EntryType::Directory => {
                fs::create_dir(&target)?;
                real_directories.insert(path);
            }
            EntryType::Regular => {
                let mode = if entry.header().mode()? & 0o100 == 0 { 0o644 } else { 0o755 };
                let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(&target)?;
                io::copy(&mut entry, &mut new).map_err(cut_off)?;
            }
            EntryType::Symlink => {
                let link = entry.link_name()?.filter(|link| stays(&path, link));
                symlink(link.ok_or_else(|| refused("is a link that leads elsewhere"))?, &target)?;
            }
            _ => return Err(refused("is no file, directory or link")),
        }
    }
    Ok(manifest)
}

fn cut_off(error: io::Error) -> Problem {
    Problem::Refused(format!("it is damaged ({error}): copy the file again"))
}

/// Tells whether a bundle is for this machine and this version.
fn check(manifest: &Manifest, known: impl Fn(&str) -> Option<BTreeSet<String>>) -> Result<(), Problem> {
    let refuse = |reason: String| Err(Problem::Refused(reason));
    if manifest.format != FORMAT {
        return refuse(format!("it is of form {}, which this version cannot read", manifest.format));
    }
    if manifest.machine != machine() {
        return refuse(format!("it is for {}, and this machine is {}", manifest.machine, machine()));
    }
    let needed: Option<BTreeSet<String>> = manifest.runtimes.iter().try_fold(BTreeSet::new(), |mut names, runtime| {
        names.extend(known(runtime)?);
        Some(names)
    });
    if needed.is_none_or(|needed| !needed.iter().eq(manifest.directories.keys())) {
        let (made, ours) = (&manifest.everstep, env!("CARGO_PKG_VERSION"));
        return refuse(format!(
            "Everstep {made} made it with other interpreters or SDKs than this one ({ours}) uses; make it with this one"
        ));
    }
    Ok(())
}

/// Returns an entry's path if it lies in one of the directories that the manifest names.
fn inside(bytes: &[u8], manifest: &Manifest) -> Result<PathBuf, Problem> {
    let text = String::from_utf8_lossy(bytes);
    let path = Path::new(text.trim_end_matches('/'));
    let mut components = path.components();
    let first = components.next().and_then(normal);
    if first.is_some_and(|first| manifest.directories.contains_key(first))
        && components.all(|part| normal(part).is_some())
    {
        return Ok(path.to_owned());
    }
    Err(Problem::Refused(format!("`{text}` in it lies outside of its directories")))
}

fn normal(component: Component<'_>) -> Option<&str> {
    match component {
        Component::Normal(name) => name.to_str(),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    }
}

/// Tells whether a link stays within the first directory of its path. It may climb only before it descends: further
/// on, a step up from another link would lead out of where that link leads.
fn stays(path: &Path, link: &Path) -> bool {
    let Some(depth) = path.components().count().checked_sub(2) else { return false };
    let climbs = link.components().take_while(|part| *part == Component::ParentDir).count();
    climbs <= depth && link.components().skip(climbs).all(|part| normal(part).is_some())
}

fn machine() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Appends a directory with all that is in it, in an order and with headers that depend on the content only.
fn append(archive: &mut Builder<impl io::Write>, home: &Path, directory: &Path) -> io::Result<()> {
    archive.append_data(&mut header(EntryType::Directory, 0o755, 0), directory, io::empty())?;
    for (path, found) in walk(&home.join(directory))? {
        let inner = directory.join(&path);
        match found {
            Found::Directory => {
                archive.append_data(&mut header(EntryType::Directory, 0o755, 0), inner, io::empty())?;
            }
            Found::Link(target) => {
                archive.append_link(&mut header(EntryType::Symlink, 0o777, 0), inner, target)?;
            }
            Found::File { executable } => {
                let file = File::open(home.join(&inner))?;
                let mode = if executable { 0o755 } else { 0o644 };
                let bytes = file.metadata()?.len();
                archive.append_data(&mut header(EntryType::Regular, mode, bytes), inner, file)?;
            }
        }
    }
    Ok(())
}

fn header(entry_type: EntryType, mode: u32, bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_size(bytes);
    header.set_mtime(0);
    header
}

/// Returns a digest of all names, links, executable bits and contents below a directory.
fn digest(directory: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let say = |hash: &mut Sha256, kind: u8, text: &[u8], bytes: u64| {
        hash.update([kind]);
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
        hash.update(bytes.to_be_bytes());
    };
    for (path, found) in walk(directory)? {
        let name = path.as_os_str().as_encoded_bytes();
        match found {
            Found::Directory => say(&mut hash, b'd', name, 0),
            Found::Link(target) => {
                let target = target.as_os_str().as_encoded_bytes();
                say(&mut hash, b'l', name, target.len() as u64);
                hash.update(target);
            }
            Found::File { executable } => {
                let mut file = File::open(directory.join(&path))?;
                let kind = if executable { b'x' } else { b'f' };
                say(&mut hash, kind, name, file.metadata()?.len());
                io::copy(&mut file, &mut hash)?;
            }
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What lies below a directory.
enum Found {
    Directory,
    File { executable: bool },
    Link(PathBuf),
}

/// Returns what lies below a directory, sorted, each directory before its content.
fn walk(directory: &Path) -> io::Result<Vec<(PathBuf, Found)>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(inner) = waiting.pop() {
        for entry in fs::read_dir(directory.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            let metadata = entry.metadata()?;
            let what = if metadata.is_dir() {
                waiting.push(path.clone());
                Found::Directory
            } else if metadata.is_symlink() {
                Found::Link(fs::read_link(entry.path())?)
            } else {
                Found::File { executable: metadata.permissions().mode() & 0o100 != 0 }
            };
            found.push((path, what));
        }
    }
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with every kind of entry.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("python-3.13/lib").join("long".repeat(30));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("module.py"), "text").unwrap();
        fs::write(home.path().join("python-3.13/program"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(home.path().join("python-3.13/program"), Permissions::from_mode(0o755)).unwrap();
        symlink("../program", home.path().join("python-3.13/lib/alias")).unwrap();
        fs::create_dir_all(home.path().join("sdk-1/empty")).unwrap();
        home
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn known(runtime: &str) -> Option<BTreeSet<String>> {
        (runtime == "python3.13").then(|| names(&["python-3.13", "sdk-1"]))
    }

    fn bundle(home: &Path) -> PathBuf {
        let file = home.join("bundle.tar.gz");
        write(home, &names(&["python-3.13", "sdk-1"]), &["python3.13".into()], &file).unwrap();
        file
    }

    fn refusal(read: Result<Manifest, Problem>) -> String {
        match read.unwrap_err() {
            Problem::Refused(reason) => reason,
            Problem::Io(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_comes_out_is_what_went_in() {
        let (home, into) = (home(), tempfile::tempdir().unwrap());
        let manifest = read(&bundle(home.path()), known, into.path()).unwrap();
        assert_eq!(directories(&manifest).collect::<Vec<_>>(), ["python-3.13", "sdk-1"]);
        for name in directories(&manifest) {
            assert_eq!(digest(&home.path().join(name)).unwrap(), digest(&into.path().join(name)).unwrap());
        }
        assert_eq!(fs::read_to_string(into.path().join("python-3.13/lib/alias")).unwrap(), "#!/bin/sh\n");
    }

    #[test]
    fn equal_content_makes_equal_bundles() {
        let (one, other) = (home(), home());
        assert_eq!(fs::read(bundle(one.path())).unwrap(), fs::read(bundle(other.path())).unwrap());
    }

    #[test]
    fn digests_tell_names_contents_links_and_modes_apart() {
        let changes: [&dyn Fn(&Path); 5] = [
            &|home| fs::write(home.join("python-3.13/program"), "#!/bin/ss\n").unwrap(),
            &|home| fs::rename(home.join("python-3.13/program"), home.join("python-3.13/programm")).unwrap(),
            &|home| fs::set_permissions(home.join("python-3.13/program"), Permissions::from_mode(0o644)).unwrap(),
            &|home| fs::create_dir(home.join("python-3.13/new")).unwrap(),
            &|home| {
                fs::remove_file(home.join("python-3.13/lib/alias")).unwrap();
                symlink("../programm", home.join("python-3.13/lib/alias")).unwrap();
            },
        ];
        let same = digest(&home().path().join("python-3.13")).unwrap();
        for change in changes {
            let home = home();
            change(home.path());
            assert_ne!(digest(&home.path().join("python-3.13")).unwrap(), same);
        }
    }

    #[test]
    fn a_file_that_is_no_bundle_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        for bytes in [&b""[..], b"text", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]] {
            fs::write(&file, bytes).unwrap();
            assert!(refusal(read(&file, known, place.path())).contains("not a bundle"));
        }
    }

    #[test]
    fn a_bundle_that_is_cut_off_or_damaged_is_refused() {
        let home = home();
        let whole = fs::read(bundle(home.path())).unwrap();
        let file = home.path().join("damaged");
        for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 100], &whole[..whole.len() - 1]] {
            fs::write(&file, bytes).unwrap();
            let into = tempfile::tempdir().unwrap();
            let refused = refusal(read(&file, known, into.path()));
            assert!(refused.contains("copy the file again") || refused.contains("not a bundle"), "{refused}");
        }
    }

    #[test]
    fn a_bundle_for_others_is_refused() {
        let (home, into) = (home(), tempfile::tempdir().unwrap());
        let file = bundle(home.path());
        let other = |runtime: &str| (runtime == "python3.13").then(|| names(&["python-3.13", "sdk-2"]));
        assert!(refusal(read(&file, other, into.path())).contains("make it with this one"));
        assert!(refusal(read(&file, |_| None, into.path())).contains("make it with this one"));
        let manifest = read(&file, known, tempfile::tempdir().unwrap().path()).unwrap();
        let foreign = Manifest { machine: "plan9-vax".into(), ..manifest.clone() };
        assert!(check(&foreign, known).unwrap_err().to_string().contains("it is for plan9-vax"));
        let later = Manifest { format: FORMAT + 1, ..manifest };
        assert!(check(&later, known).unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn a_bundle_may_have_so_many_bytes_and_no_more() {
        let home = home();
        let file = bundle(home.path());
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(&file).unwrap()).read_to_end(&mut bytes).unwrap();
        let size = bytes.len() as u64;
        assert!(read_limited(&file, known, tempfile::tempdir().unwrap().path(), size).is_ok());
        let refused = refusal(read_limited(&file, known, tempfile::tempdir().unwrap().path(), size - 1));
        assert!(refused.contains("bytes unpacked"), "{refused}");
    }

    /// One entry as an attacker may write it: type, path, link target.
    type Forged = (EntryType, &'static str, &'static str);

    /// Appends forged entries to a manifest that is in order; returns why it is refused.
    fn forged(entries: &[Forged]) -> String {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("forged");
        let manifest = Manifest {
            format: FORMAT,
            everstep: "0".into(),
            machine: machine(),
            runtimes: vec!["python3.13".into()],
            directories: ["python-3.13", "sdk-1"].map(|name| (name.into(), String::new())).into(),
        };
        let mut archive = Builder::new(GzEncoder::new(File::create(&file).unwrap(), Compression::fast()));
        let text = serde_json::to_vec(&manifest).unwrap();
        archive.append_data(&mut header(EntryType::Regular, 0o644, text.len() as u64), MANIFEST, &text[..]).unwrap();
        for (entry_type, path, target) in entries {
            // The crate would refuse to write such names.
            let mut header = header(*entry_type, 0o755, 0);
            let old = header.as_old_mut();
            old.name[..path.len()].copy_from_slice(path.as_bytes());
            old.linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_cksum();
            archive.append(&header, io::empty()).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap();
        let into = home.path().join("a/b/c");
        fs::create_dir_all(&into).unwrap();
        let refused = match read(&file, known, &into).unwrap_err() {
            Problem::Refused(reason) => reason,
            Problem::Io(error) => error.to_string(),
        };
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "something got out");
        refused
    }

    #[test]
    fn nothing_gets_out_of_the_directories() {
        let directory = (EntryType::Directory, "python-3.13", "");
        let cases: [(&[Forged], &str); 13] = [
            (&[(EntryType::Regular, "../evil", "")], "outside"),
            (&[(EntryType::Regular, "/evil", "")], "outside"),
            (&[(EntryType::Regular, "elsewhere", "")], "outside"),
            (&[directory, (EntryType::Regular, "python-3.13/../evil", "")], "outside"),
            (&[(EntryType::Regular, "python-3.13/evil", "")], "has no directory"),
            (&[directory, (EntryType::Symlink, "python-3.13/link", "/etc")], "leads elsewhere"),
            (&[directory, (EntryType::Symlink, "python-3.13/link", "../evil")], "leads elsewhere"),
            (&[directory, (EntryType::Symlink, "python-3.13/link", "down/../../evil")], "leads elsewhere"),
            (&[(EntryType::Symlink, "python-3.13", "x")], "leads elsewhere"),
            (
                &[
                    directory,
                    (EntryType::Symlink, "python-3.13/link", "."),
                    (EntryType::Regular, "python-3.13/link/evil", ""),
                ],
                "leads elsewhere",
            ),
            (
                &[
                    directory,
                    (EntryType::Symlink, "python-3.13/link", "there"),
                    (EntryType::Regular, "python-3.13/link/evil", ""),
                ],
                "has no directory",
            ),
            (&[directory, (EntryType::Link, "python-3.13/link", "/etc/passwd")], "is no file"),
            (&[directory, (EntryType::Char, "python-3.13/device", "")], "is no file"),
        ];
        for (entries, expected) in cases {
            let refused = forged(entries);
            assert!(refused.contains(expected), "{entries:?}: {refused}");
        }
    }

    #[test]
    fn an_entry_that_comes_twice_is_refused() {
        let directory = (EntryType::Directory, "python-3.13", "");
        let file = (EntryType::Regular, "python-3.13/file", "");
        assert!(forged(&[directory, file, file]).contains("exists"));
        assert!(forged(&[directory, directory]).contains("exists"));
        assert!(forged(&[directory, (EntryType::Symlink, "python-3.13/file", "other"), file]).contains("exists"));
    }
}
