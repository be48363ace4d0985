//! The suite of [`Catalog`].

use std::sync::Arc;

use super::run;
use crate::catalog::{Catalog, Document, Kind, Put, Revision};
use crate::error::Error;

/// Checks the guarantees of [`Catalog`].
///
/// # Panics
/// If one is not kept.
pub async fn catalog(store: Arc<dyn Catalog>) {
    run!(
        store,
        clear,
        what_is_put_is_read,
        put_conflicts_unless_the_revision_is_the_one_seen,
        several_documents_are_written_together_or_not_at_all,
        delete_conflicts_unless_the_revision_is_the_one_seen,
        revisions_are_never_reused,
        kinds_do_not_mix,
        list_pages_in_the_order_of_keys,
        one_of_rival_writers_succeeds,
        once_settled_no_write_is_under_way,
    );
}

async fn clear(store: &Arc<dyn Catalog>) {
    for kind in Kind::ALL {
        for (key, document) in store.list(kind, None, usize::MAX).await.unwrap() {
            store.delete(kind, &key, document.revision).await.unwrap();
        }
    }
}

fn assert_conflict<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Conflict)), "{result:?} is no conflict");
}

async fn what_is_put_is_read(store: Arc<dyn Catalog>) {
    assert_eq!(store.get(Kind::Function, "a").await.unwrap(), None);
    for body in ["{}", "{\"text\":\"ä\u{1f980}\"}", ""] {
        let seen = store.get(Kind::Function, "a").await.unwrap().map(|document| document.revision);
        let revision = store.put(Kind::Function, "a", seen, body.to_owned()).await.unwrap();
        let document = Document { revision, body: body.to_owned() };
        assert_eq!(store.get(Kind::Function, "a").await.unwrap(), Some(document));
    }
}

async fn put_conflicts_unless_the_revision_is_the_one_seen(store: Arc<dyn Catalog>) {
    assert_conflict(store.put(Kind::Function, "a", Some(Revision(1)), "0".to_owned()).await);
    let first = store.put(Kind::Function, "a", None, "1".to_owned()).await.unwrap();
    assert_conflict(store.put(Kind::Function, "a", None, "2".to_owned()).await);
    let second = store.put(Kind::Function, "a", Some(first), "2".to_owned()).await.unwrap();
    assert_conflict(store.put(Kind::Function, "a", Some(first), "3".to_owned()).await);
    let document = Document { revision: second, body: "2".to_owned() };
    assert_eq!(store.get(Kind::Function, "a").await.unwrap(), Some(document));
}

async fn several_documents_are_written_together_or_not_at_all(store: Arc<dyn Catalog>) {
    let put = |kind, key: &str, seen, body: &str| Put { kind, key: key.into(), seen, body: body.into() };
    let read = async |kind, key| store.get(kind, key).await.unwrap().map(|document| document.body);
    let first = store.put(Kind::Stack, "s", None, "1".to_owned()).await.unwrap();
    store
        .put_all(vec![put(Kind::Stack, "s", Some(first), "2"), put(Kind::StackEvent, "s/1", None, "e")])
        .await
        .unwrap();
    assert_eq!(read(Kind::Stack, "s").await.as_deref(), Some("2"));
    assert_eq!(read(Kind::StackEvent, "s/1").await.as_deref(), Some("e"));
    let second = store.get(Kind::Stack, "s").await.unwrap().unwrap().revision;
    assert!(second > first);
    for (seen, event) in [(Some(first), "s/2"), (Some(second), "s/1")] {
        let puts = vec![put(Kind::StackEvent, "s/3", None, "e"), put(Kind::Stack, "s", seen, "3")];
        assert_conflict(store.put_all([puts, vec![put(Kind::StackEvent, event, None, "e")]].concat()).await);
    }
    assert_eq!(read(Kind::Stack, "s").await.as_deref(), Some("2"));
    assert_eq!(read(Kind::StackEvent, "s/3").await, None);
    store.put_all(Vec::new()).await.unwrap();
}

async fn delete_conflicts_unless_the_revision_is_the_one_seen(store: Arc<dyn Catalog>) {
    assert_conflict(store.delete(Kind::Function, "a", Revision(1)).await);
    let first = store.put(Kind::Function, "a", None, "1".to_owned()).await.unwrap();
    let second = store.put(Kind::Function, "a", Some(first), "2".to_owned()).await.unwrap();
    assert_conflict(store.delete(Kind::Function, "a", first).await);
    assert!(store.get(Kind::Function, "a").await.unwrap().is_some());
    store.delete(Kind::Function, "a", second).await.unwrap();
    assert_eq!(store.get(Kind::Function, "a").await.unwrap(), None);
    assert_conflict(store.delete(Kind::Function, "a", second).await);
}

async fn revisions_are_never_reused(store: Arc<dyn Catalog>) {
    let first = store.put(Kind::Function, "a", None, "1".to_owned()).await.unwrap();
    store.delete(Kind::Function, "a", first).await.unwrap();
    let again = store.put(Kind::Function, "a", None, "1".to_owned()).await.unwrap();
    assert!(again > first, "{again:?} comes after {first:?}");
    assert_conflict(store.put(Kind::Function, "a", Some(first), "2".to_owned()).await);
}

async fn kinds_do_not_mix(store: Arc<dyn Catalog>) {
    for kind in Kind::ALL {
        store.put(kind, "same", None, kind.as_str().to_owned()).await.unwrap();
    }
    for kind in Kind::ALL {
        let listed = store.list(kind, None, 10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].1.body, kind.as_str());
        assert_eq!(store.get(kind, "same").await.unwrap().unwrap().body, kind.as_str());
    }
}

async fn list_pages_in_the_order_of_keys(store: Arc<dyn Catalog>) {
    for key in ["b", "a/2", "ä", "a", "B", ""] {
        store.put(Kind::AccessKey, key, None, key.to_owned()).await.unwrap();
    }
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(Kind::AccessKey, after.as_deref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some((last, _)) = page.last() else {
            break;
        };
        after = Some(last.clone());
        keys.extend(page.into_iter().map(|(key, _)| key));
    }
    assert_eq!(keys, ["", "B", "a", "a/2", "b", "ä"]);
    assert!(store.list(Kind::AccessKey, None, 0).await.unwrap().is_empty());
}

async fn one_of_rival_writers_succeeds(store: Arc<dyn Catalog>) {
    let seen = store.put(Kind::Function, "a", None, "first".to_owned()).await.unwrap();
    let rivals = (0..8).map(|rival| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.put(Kind::Function, "a", Some(seen), rival.to_string()).await })
    });
    let mut winners = Vec::new();
    for rival in rivals.collect::<Vec<_>>() {
        match rival.await.unwrap() {
            Ok(revision) => winners.push(revision),
            result => assert_conflict(result),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(store.get(Kind::Function, "a").await.unwrap().unwrap().revision, winners[0]);
}

async fn once_settled_no_write_is_under_way(store: Arc<dyn Catalog>) {
    for number in 0..20 {
        let key = number.to_string();
        // Whoever asked goes away.
        tokio::select! {
            biased;
            _ = store.put(Kind::Function, &key, None, "x".repeat(100_000)) => {}
            () = std::future::ready(()) => {}
        }
    }
    store.settle().await.unwrap();
    assert_eq!(store.list(Kind::Function, None, 100).await.unwrap().len(), 20);
}
