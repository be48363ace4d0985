//! Which code goes, and which stays, when nothing names it any more.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use everstep_worker::code::{CodeRef, Named, Pin, Store};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn zip(text: &str) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("app.py", SimpleFileOptions::default()).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

fn named(codes: &[&CodeRef]) -> Named {
    let mut named = Named::default();
    codes.iter().for_each(|code| named.package(&code.digest));
    named
}

/// Sweeps at a moment, when documents name these. Returns how much went.
fn sweep(store: &Store, codes: &[&CodeRef]) -> usize {
    store.begin_sweep().finish(&named(codes)).unwrap()
}

/// Tells whether a sweep is due.
async fn is_wanted(store: &Store) -> bool {
    tokio::select! {
        biased;
        () = store.sweep_wanted() => true,
        () = std::future::ready(()) => false,
    }
}

/// Code that nobody pins.
struct Unpinned {
    digest: String,
    dir: PathBuf,
}

fn unpinned(store: &Store, text: &str) -> Unpinned {
    let CodeRef { digest, pin, .. } = store.put(&zip(text)).unwrap();
    Unpinned { digest, dir: pin.dir().to_owned() }
}

#[tokio::test]
async fn what_nothing_names_or_pins_goes_and_the_rest_stays() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    let old = unpinned(&store, "old");
    let (kept, pinned) = (store.put(&zip("kept")).unwrap(), store.put(&zip("pinned")).unwrap());
    assert_eq!(sweep(&store, &[&kept]), 1);
    assert!(!old.dir.exists() && store.pin(&old.digest).is_none() && store.zip(&old.digest).unwrap().is_none());
    assert!(kept.pin.dir().exists() && pinned.pin.dir().exists());
    assert_eq!(data.path().join("code").read_dir().unwrap().count(), 2, "nothing is left behind");
}

#[tokio::test]
async fn what_is_pinned_goes_when_the_last_pin_does() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    let code = store.put(&zip("code")).unwrap();
    let (dir, another): (_, Pin) = (code.pin.dir().to_owned(), code.pin.clone());
    let third = store.pin(&code.digest).unwrap();
    assert_eq!(sweep(&store, &[]), 0);
    drop(code);
    drop(another);
    assert!(!is_wanted(&store).await);
    drop(third);
    assert!(is_wanted(&store).await, "who sweeps is told that there is something");
    assert_eq!(sweep(&store, &[]), 1);
    assert!(!dir.exists());
}

#[tokio::test]
async fn code_that_no_document_came_to_name_is_swept_without_being_asked() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    assert!(!is_wanted(&store).await);
    let code = store.put(&zip("refused")).unwrap();
    assert!(!is_wanted(&store).await);
    drop(code);
    assert!(is_wanted(&store).await);
    let code = store.put(&zip("named")).unwrap();
    sweep(&store, &[&code]);
    drop(code);
    assert!(!is_wanted(&store).await, "a document names it");
}

#[tokio::test]
async fn what_is_put_or_pinned_while_documents_are_read_stays() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    let again = unpinned(&store, "again");
    let pinned = unpinned(&store, "pinned");
    let before = store.put(&zip("before")).unwrap();
    let before_dir = before.pin.dir().to_owned();
    assert!(is_wanted(&store).await);
    let under_way = store.begin_sweep();
    // Documents that name each of them are written now, too late for the sweep to see them.
    drop(before);
    drop(store.put(&zip("again")).unwrap());
    drop(store.pin(&pinned.digest).unwrap());
    let new = unpinned(&store, "new");
    assert_eq!(under_way.finish(&Named::default()).unwrap(), 0);
    assert!([&again.dir, &pinned.dir, &new.dir, &before_dir].into_iter().all(|dir| dir.exists()));
    assert!(is_wanted(&store).await, "perhaps nothing names them after all");
    assert_eq!(sweep(&store, &[]), 4);
}

#[tokio::test]
async fn layers_laid_over_each_other_go_with_the_last_who_names_them() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    let (one, two) = (store.put(&zip("one")).unwrap(), store.put(&zip("two")).unwrap());
    let digests = [one.digest.clone(), two.digest.clone()];
    let merge = store.merge(&digests).unwrap();
    let dir = merge.dir().to_owned();
    drop((one, two));
    assert_eq!(sweep(&store, &[]), 2, "the packages go, what came of them is pinned");
    drop(merge);
    let mut both = Named::default();
    both.merge(&digests);
    assert_eq!(store.begin_sweep().finish(&both).unwrap(), 0);
    assert!(dir.exists());
    assert_eq!(sweep(&store, &[]), 1);
    assert!(!dir.exists());
}

#[tokio::test]
async fn packages_of_named_layers_stay() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    let layer = unpinned(&store, "layer");
    let mut named = Named::default();
    named.merge(std::slice::from_ref(&layer.digest));
    assert_eq!(store.begin_sweep().finish(&named).unwrap(), 0);
    assert!(layer.dir.exists());
}

#[tokio::test]
async fn nothing_goes_while_it_is_copied() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    let old = unpinned(&store, "old");
    assert!(is_wanted(&store).await);
    let (first, second) = (store.freeze(), store.freeze());
    assert_eq!(sweep(&store, &[]), 0);
    drop(first);
    assert_eq!(sweep(&store, &[]), 0);
    assert!(old.dir.exists() && !is_wanted(&store).await);
    drop(second);
    assert!(is_wanted(&store).await, "what was put off is due");
    assert_eq!(sweep(&store, &[]), 1);
}

#[tokio::test]
async fn what_a_killed_server_left_is_deleted_by_the_next_one() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    store.remove_leftovers().unwrap();
    let code = store.put(&zip("code")).unwrap();
    let merge = store.merge(std::slice::from_ref(&code.digest)).unwrap();
    for place in ["code/.new-1/tree", "code/merged/.new-2/tree"] {
        std::fs::create_dir_all(data.path().join(place)).unwrap();
        std::fs::write(data.path().join(place).join("half"), "").unwrap();
    }
    let next = Store::new(data.path());
    next.remove_leftovers().unwrap();
    for (place, expected) in [("code", 2), ("code/merged", 1)] {
        assert_eq!(data.path().join(place).read_dir().unwrap().count(), expected, "{place}");
    }
    assert!(code.pin.dir().exists() && merge.dir().exists());
    // And whole code that no document came to name.
    assert_eq!(sweep(&next, &[]), 2);
}

#[tokio::test]
async fn a_sweep_that_is_given_up_deletes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::new(data.path());
    let old = unpinned(&store, "old");
    drop(store.begin_sweep());
    assert!(old.dir.exists());
    assert_eq!(sweep(&store, &[]), 1);
}
