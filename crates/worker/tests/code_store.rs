//! The code store against good, large and hostile zips.

use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use everstep_worker::code::{Error, Store};
use everstep_worker::limits;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

enum Entry<'a> {
    File(&'a str, u32, &'a [u8]),
    Link(&'a str, &'a str),
    Directory(&'a str),
}

use Entry::{Directory, File, Link};

fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        match entry {
            File(name, mode, bytes) => {
                writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
                writer.write_all(bytes).unwrap();
            }
            Link(name, target) => writer.add_symlink(*name, *target, SimpleFileOptions::default()).unwrap(),
            Directory(name) => writer.add_directory(*name, SimpleFileOptions::default()).unwrap(),
        }
    }
    writer.finish().unwrap().into_inner()
}

/// Refuses a zip and leaves nothing, inside the data directory or beside it.
#[track_caller]
fn check_refused(zip: &[u8], words: &str) {
    let outer = tempfile::tempdir().unwrap();
    let data_dir = outer.path().join("data");
    match Store::new(&data_dir).put(zip) {
        Err(Error::Refused(message)) => assert!(message.contains(words), "{message}"),
        other => panic!("not refused: {other:?}"),
    }
    let code = data_dir.join("code");
    let left: Vec<_> = code.read_dir().into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(outer.path().read_dir().unwrap().count() <= 1, "something was written outside");
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn code_is_stored_under_its_digest_with_modes_and_links() {
    let data_dir = tempfile::tempdir().unwrap();
    let store = Store::new(data_dir.path());
    let zip = zip(&[
        Directory("empty"),
        File("bootstrap", 0o644, b"#!/bin/sh\n"),
        File("bin/tool", 0o755, b"tool"),
        File("sub/bootstrap", 0o400, b"not a program"),
        File("suid", 0o4755, b""),
        Link("sub/link", "../bin/tool"),
        Link("dangling", "nothing"),
    ]);
    let code = store.put(&zip).unwrap();
    assert_eq!(code.size, zip.len() as u64);
    let dir = code.pin.dir();
    assert_eq!(dir, data_dir.path().join("code").join(&code.digest).join("tree"));
    assert_eq!(store.pin(&code.digest), Some(code.pin.clone()));
    assert_eq!(store.zip(&code.digest).unwrap(), Some(zip.clone()));
    assert!(dir.join("empty").is_dir());
    let modes = ["bootstrap", "bin/tool", "sub/bootstrap", "suid", "bin", ""].map(|name| mode(&dir.join(name)));
    assert_eq!(modes, [0o755, 0o755, 0o644, 0o755, 0o755, 0o755], "everyone can read it");
    assert_eq!(std::fs::read(dir.join("sub/link")).unwrap(), b"tool");

    std::fs::write(dir.join("mark"), "").unwrap();
    assert_eq!(store.put(&zip).unwrap(), code);
    assert!(dir.join("mark").exists(), "the second put wrote again");
}

#[test]
fn sha256_is_as_aws_writes_it() {
    let data_dir = tempfile::tempdir().unwrap();
    // The smallest zip: an empty one.
    let code = Store::new(data_dir.path()).put(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
    assert_eq!(code.digest, "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85");
    assert_eq!(code.sha256, "hznHbmgfkAkjuQDJ3w73XPQh05yrtUZQxLmtGbanbYU=");
}

#[test]
fn unknown_digests_have_no_code() {
    let data_dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(data_dir.path().join("secret/tree")).unwrap();
    let store = Store::new(data_dir.path());
    for digest in ["", "../secret", "..", &"0".repeat(64), &"A".repeat(64), "8739c76e"] {
        assert_eq!(store.pin(digest), None, "{digest}");
        assert_eq!(store.zip(digest).unwrap(), None, "{digest}");
    }
}

#[test]
fn what_is_no_zip_is_refused() {
    check_refused(b"", "not a zip file");
    check_refused(b"PK\x03\x04 and then nothing", "not a zip file");
    check_refused(&[0; 1000], "not a zip file");
    let mut damaged = zip(&[File("app.py", 0o644, &[7; 10_000])]);
    for byte in &mut damaged[40..50] {
        *byte ^= 0x55;
    }
    check_refused(&damaged, "damaged");
}

#[test]
fn every_cut_of_a_zip_is_refused_or_stored_but_never_left_half() {
    let whole = zip(&[File("app.py", 0o644, b"print('hello')"), Link("link", "app.py")]);
    for length in 0..whole.len() {
        let data_dir = tempfile::tempdir().unwrap();
        let refused = Store::new(data_dir.path()).put(&whole[..length]).is_err();
        assert!(refused, "cut at {length}");
    }
}

#[test]
fn names_outside_of_the_tree_are_refused() {
    for name in ["../evil", "a/../../evil", "/etc/evil", "..", "a/b/../../../evil"] {
        check_refused(&raw_name(name), "outside of the code directory");
    }
    check_refused(&raw_name("a\0b"), "outside of the code directory");
}

/// A zip with one file of this name, put in by hand: the writer would tidy it up.
fn raw_name(name: &str) -> Vec<u8> {
    let stand_in = "#".repeat(name.len());
    let mut bytes = zip(&[File(&stand_in, 0o644, b"x")]);
    let mut replaced = 0;
    for start in 0..bytes.len() - name.len() {
        if bytes[start..].starts_with(stand_in.as_bytes()) {
            bytes[start..start + name.len()].copy_from_slice(name.as_bytes());
            replaced += 1;
        }
    }
    assert_eq!(replaced, 2);
    bytes
}

#[test]
fn links_out_of_the_tree_are_refused() {
    check_refused(&zip(&[Link("link", "/etc/passwd")]), "leads out");
    check_refused(&zip(&[Link("link", "../outside")]), "leads out");
    check_refused(&zip(&[Link("a/link", "../../outside")]), "leads out");
    check_refused(&zip(&[Link("link", "")]), "no usable target");
    check_refused(&zip(&[Link("link", &"x".repeat(5000))]), "no usable target");
    // Out by way of another link: `d/e` is the root, so its parent is not `d`.
    check_refused(&zip(&[File("d/file", 0o644, b""), Link("d/e", ".."), Link("link", "d/e/../outside")]), "leads out");
    check_refused(&zip(&[File("a/b/c/f", 0o644, b""), Link("l", "a/b/c"), Link("m", "l/../../../..")]), "leads out");
}

#[test]
fn nothing_is_written_through_a_link() {
    check_refused(&zip(&[Link("dir", "."), File("dir/file", 0o644, b"x")]), "cannot be created");
    check_refused(&zip(&[Directory("real"), Link("dir", "real"), Link("dir/link", "../real")]), "leads out");
    check_refused(&zip(&[File("file", 0o644, b"x"), File("file/below", 0o644, b"x")]), "cannot be created");
}

#[test]
fn what_is_neither_file_directory_nor_link_is_refused() {
    for (what, kind) in
        [("fifo", 0o010_000), ("character device", 0o020_000), ("block device", 0o060_000), ("socket", 0o140_000)]
    {
        let mut bytes = zip(&[File("first", 0o644, b"x"), File(what, 0o644, b"")]);
        // The type is in the external attributes of the central directory's last entry.
        let central = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        bytes[central + 38..central + 42].copy_from_slice(&((kind | 0o644_u32) << 16).to_le_bytes());
        check_refused(&bytes, "neither file, directory nor link");
    }
}

#[test]
fn of_entries_of_one_name_the_last_is_stored() {
    let data_dir = tempfile::tempdir().unwrap();
    let code =
        Store::new(data_dir.path()).put(&zip(&[File("a/f", 0o444, b"first"), File("a//f", 0o644, b"last")])).unwrap();
    assert_eq!(std::fs::read(code.pin.dir().join("a/f")).unwrap(), b"last");
}

#[test]
fn size_that_an_entry_claims_is_not_believed() {
    let mut bytes = zip(&[File("f", 0o644, &[0; 100_000])]);
    // The uncompressed size, in the local header and in the central directory: one byte is claimed.
    for (signature, at) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
        let header = bytes.windows(4).position(|window| window == signature).unwrap();
        bytes[header + at..header + at + 4].copy_from_slice(&1_u32.to_le_bytes());
    }
    let data_dir = tempfile::tempdir().unwrap();
    match Store::new(data_dir.path()).put(&bytes) {
        Ok(code) => assert!(code.pin.dir().join("f").metadata().unwrap().len() <= 100_000),
        Err(_) => assert_eq!(data_dir.path().join("code").read_dir().unwrap().count(), 0, "something is left"),
    }
}

#[test]
fn zip_at_the_limit_is_stored_and_one_past_is_refused() {
    // A comment at the end fills a zip up to any size that its 16 bits allow; stored bytes do the rest.
    let limit = usize::try_from(limits::ZIP_BYTES_MAX).unwrap();
    let of_size = |size: usize| {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("data", options).unwrap();
        writer.write_all(&vec![0; size - 40_000]).unwrap();
        let short = writer.finish().unwrap().into_inner().len();
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("data", options).unwrap();
        writer.write_all(&vec![0; size - 40_000]).unwrap();
        writer.set_comment("c".repeat(size - short));
        let bytes = writer.finish().unwrap().into_inner();
        assert_eq!(bytes.len(), size);
        bytes
    };
    let data_dir = tempfile::tempdir().unwrap();
    Store::new(data_dir.path()).put(&of_size(limit)).unwrap();
    check_refused(&of_size(limit + 1), "at most 52428800 are allowed");
}

#[test]
fn bomb_is_refused_by_what_comes_out_of_it() {
    let piece = vec![0; 1024 * 1024];
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let pieces = limits::CODE_BYTES_MAX / piece.len() as u64;
    for number in 0..=pieces {
        writer.start_file(format!("f{number}"), SimpleFileOptions::default()).unwrap();
        writer.write_all(if number == pieces { &piece[..1] } else { &piece }).unwrap();
    }
    check_refused(&writer.finish().unwrap().into_inner(), "larger than 262144000 bytes");
}

/// Lays packages over each other, and returns every path of the merge with its content, or with the target of a link.
fn merged(packages: &[&[Entry<'_>]]) -> Vec<String> {
    let data_dir = tempfile::tempdir().unwrap();
    let store = Store::new(data_dir.path());
    let digests: Vec<String> = packages.iter().map(|entries| store.put(&zip(entries)).unwrap().digest).collect();
    let before = store.unzipped_bytes(&digests[0]).unwrap();
    let merge = store.merge(&digests).unwrap();
    let directory = merge.dir();
    assert_eq!(store.unzipped_bytes(&digests[0]).unwrap(), before, "packages stay as they are");
    let mut found = Vec::new();
    describe(directory, directory, &mut found);
    found.sort();
    found
}

fn describe(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in directory.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let kind = path.symlink_metadata().unwrap();
        if kind.is_symlink() {
            found.push(format!("{name} -> {}", std::fs::read_link(&path).unwrap().display()));
        } else if kind.is_dir() {
            found.push(format!("{name}/"));
            describe(root, &path, found);
        } else {
            found.push(format!("{name}: {}", std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn of_layers_the_later_wins() {
    let first: &[_] = &[File("python/a.py", 0o644, b"1"), File("python/b.py", 0o644, b"1"), Directory("empty")];
    let second: &[_] = &[File("python/b.py", 0o644, b"2"), File("bin/tool", 0o755, b"2")];
    let shared = ["bin/", "empty/", "python/", "python/a.py: 1"];
    let with = |others: &[&str]| {
        let mut all: Vec<String> = shared.iter().chain(others).map(ToString::to_string).collect();
        all.sort();
        all
    };
    assert_eq!(merged(&[first, second]), with(&["bin/tool: 2", "python/b.py: 2"]));
    assert_eq!(merged(&[second, first]), with(&["bin/tool: 2", "python/b.py: 1"]));
    assert_eq!(merged(&[first]), ["empty/", "python/", "python/a.py: 1", "python/b.py: 1"]);
}

#[test]
fn layers_are_not_written_through_links_of_others() {
    let links: &[_] = &[File("real/file", 0o644, b"1"), Link("a", "real"), Link("b", "real/file")];
    let entries: &[_] = &[File("a/file", 0o644, b"2"), File("b", 0o644, b"2")];
    assert_eq!(merged(&[links, entries]), ["a/", "a/file: 2", "b: 2", "real/", "real/file: 1"]);
    assert_eq!(merged(&[entries, links]), ["a -> real", "b -> real/file", "real/", "real/file: 1"]);
    let directory: &[_] = &[File("b/deep/file", 0o644, b"3")];
    assert_eq!(merged(&[directory, entries]), ["a/", "a/file: 2", "b: 2"]);
}

#[test]
fn merge_of_what_is_not_there_leaves_nothing() {
    let data_dir = tempfile::tempdir().unwrap();
    let store = Store::new(data_dir.path());
    let there = store.put(&zip(&[File("f", 0o644, b"12345")])).unwrap().digest;
    assert_eq!(store.unzipped_bytes(&there).unwrap(), 5);
    let digests = [there, "0".repeat(64)];
    assert!(matches!(store.merge(&digests), Err(Error::Io { .. })));
    assert_eq!(data_dir.path().join("code/merged").read_dir().unwrap().count(), 0);
}
