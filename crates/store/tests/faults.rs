//! What happens when the world is against the store: rivals, damaged files, no space, sudden death.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use everstep_core::Record;
use everstep_store::conformance::sample::{at, commit, id, new, record};
use everstep_store::sqlite::{FILES, Sqlite};
use everstep_store::{Catalog, Commit, Error, Executions, Kind, LogEvent, Logs};

/// Bytes of a page of a new file.
const PAGE_BYTES: usize = 2048;

/// Opens a store that must refuse, and returns its words.
fn refusal(directory: &Path) -> String {
    match Sqlite::open(directory) {
        Ok(_) => panic!("it opened"),
        Err(Error::Failed { context, .. }) => context,
        Err(error) => panic!("{error:?} is no failure"),
    }
}

fn assert_mentions(context: &str, words: &[&str]) {
    for word in words {
        assert!(context.contains(word), "`{word}` is missing in: {context}");
    }
}

/// Makes a store with a few hundred records and payloads, and closes it.
async fn fill(directory: &Path) {
    let store = Sqlite::open(directory).unwrap();
    for number in 1..=20 {
        store.create(new("f", &format!("n{number}"), 0), commit(id(number), 1)).await.unwrap();
        for version in 2..=20 {
            store.commit(commit(id(number), version)).await.unwrap();
        }
    }
    store.put(Kind::Function, "f", None, "{}".to_owned()).await.unwrap();
    store.append("g", "s", vec![LogEvent { at: at(1), message: "line".to_owned() }]).await.unwrap();
}

#[tokio::test]
async fn second_open_of_a_directory_is_refused_until_the_first_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let first = Sqlite::open(directory.path()).unwrap();
    let process = std::process::id().to_string();
    let shown = directory.path().to_str().unwrap();
    assert_mentions(&refusal(directory.path()), &[shown, "in use", &process, "--data"]);
    drop(first);
    Sqlite::open(directory.path()).unwrap();
}

#[tokio::test]
async fn directory_and_files_are_for_their_owner_only() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("new").join("data");
    let store = Sqlite::open(&directory).unwrap();
    store.create(new("f", "n", 0), commit(id(1), 1)).await.unwrap();
    store.create_group("g").await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<PathBuf> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn what_is_fixed_at_birth_is_as_it_should_be() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    for file in ["everstep.db", "logs.db"] {
        let connection = rusqlite::Connection::open(directory.path().join(file)).unwrap();
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(
            (pragma("page_size"), pragma("auto_vacuum"), pragma("user_version")),
            (PAGE_BYTES as i64, 2, 1),
            "{file}"
        );
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal", "{file}");
    }
}

#[tokio::test]
async fn newer_schema_is_refused_and_left_alone() {
    for file in ["everstep.db", "logs.db"] {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path()).await;
        let path = directory.path().join(file);
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 7).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        let words = [file, "newer everstep", "schema 7, this one knows 1", "--data"];
        assert_mentions(&refusal(directory.path()), &words);
        assert!(fs::read(&path).unwrap() == before);
    }
}

#[tokio::test]
async fn database_of_another_program_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("everstep.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE photos (title TEXT); PRAGMA user_version = 1").unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    assert_mentions(&refusal(directory.path()), &["everstep.db", "another program"]);
    assert!(fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn swapped_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    fs::rename(directory.path().join("logs.db"), directory.path().join("everstep.db")).unwrap();
    assert_mentions(&refusal(directory.path()), &["everstep.db", "another program"]);
}

#[tokio::test]
async fn damaged_files_are_refused_and_left_alone() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let damages: [(&str, Damage); 4] = [
        ("nonsense", |_| b"this is a letter to my grandmother".repeat(1_000)),
        ("truncated", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("cut in the header", |bytes| bytes[..50].to_vec()),
        ("broken first page", |mut bytes| {
            bytes[100..PAGE_BYTES].fill(0xff);
            bytes
        }),
    ];
    for (name, damage) in damages {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path()).await;
        let path = directory.path().join("everstep.db");
        let damaged = damage(fs::read(&path).unwrap());
        fs::write(&path, &damaged).unwrap();
        let context = refusal(directory.path());
        assert_mentions(&context, &[path.to_str().unwrap(), "damaged", "backup"]);
        assert!(fs::read(&path).unwrap() == damaged, "{name}");
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_reported_by_the_read_that_meets_it() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    let path = directory.path().join("everstep.db");
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / PAGE_BYTES;
    // All but the first pages, which hold the schema.
    bytes[4 * PAGE_BYTES..pages * PAGE_BYTES].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let failed = match Sqlite::open(directory.path()) {
        Ok(store) => store.load(id(1), u64::MAX).await.map(|_| ()),
        Err(error) => Err(error),
    };
    let Err(Error::Failed { context, .. }) = failed else {
        panic!("{failed:?} is no failure");
    };
    assert_mentions(&context, &["everstep.db", "damaged", "backup"]);
}

#[tokio::test]
async fn directory_that_cannot_be_is_refused() {
    let outer = tempfile::tempdir().unwrap();
    let file = outer.path().join("file");
    fs::write(&file, "").unwrap();
    for directory in [file.clone(), file.join("below")] {
        assert_mentions(&refusal(&directory), &[directory.to_str().unwrap(), "data directory", "--data"]);
    }
}

#[tokio::test]
async fn directory_where_the_database_should_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("everstep.db")).unwrap();
    assert_mentions(&refusal(directory.path()), &["everstep.db", "writable"]);
}

#[tokio::test]
async fn acknowledged_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    let store = Sqlite::open(directory.path()).unwrap();
    for number in 1..=20 {
        let expected: Vec<Record> = (1..=20).map(record).collect();
        assert_eq!(store.load(id(number), u64::MAX).await.unwrap(), Some(expected));
    }
    assert_eq!(store.get(Kind::Function, "f").await.unwrap().unwrap().body, "{}");
    assert_eq!(store.groups("").await.unwrap(), ["g"]);
}

#[tokio::test]
async fn files_are_whole_without_their_logs_once_the_store_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap();
    store.put(Kind::Function, "f", None, "{}".to_owned()).await.unwrap();
    store.append("group", "stream", Vec::new()).await.unwrap();
    // Readers have a part in it, too.
    store.get(Kind::Function, "f").await.unwrap();
    store.groups("").await.unwrap();
    drop(store);
    for file in FILES {
        assert!(!directory.path().join(format!("{file}-wal")).exists(), "{file}");
    }
}

#[tokio::test]
async fn full_file_system_fails_commits_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::on(directory.path()) else {
        eprintln!("not run: only root may mount a small file system");
        return;
    };
    let ballast = directory.path().join("ballast");
    // More than half: closing moves the write-ahead log into the file, which needs as much again meanwhile.
    fs::write(&ballast, vec![0; 2_400_000]).unwrap();
    let store = Sqlite::open(directory.path()).unwrap();
    store.create(new("f", "n", 0), commit(id(1), 1)).await.unwrap();
    let mut version = 1;
    let large = |version: u64| Commit {
        payloads: vec![(everstep_core::Digest::of(&version.to_string()), "x".repeat(100_000).into())],
        ..commit(id(1), version)
    };
    let failure = loop {
        match store.commit(large(version + 1)).await {
            Ok(_) => version += 1,
            Err(error) => break error,
        }
    };
    let told = match &failure {
        Error::Failed { context, .. } => context.clone(),
        Error::Unknown(source) => source.to_string(),
        Error::Conflict | Error::NameTaken(_) => panic!("{failure:?} is not about space"),
    };
    assert_mentions(&told, &["no space left", "everstep.db"]);
    fs::remove_file(ballast).unwrap();
    let records = store.load(id(1), u64::MAX).await.unwrap().unwrap();
    assert_eq!(records.len() as u64, version);
    store.commit(large(version + 1)).await.unwrap();
    drop(store);
    let store = Sqlite::open(directory.path()).unwrap();
    assert_eq!(store.load(id(1), u64::MAX).await.unwrap().unwrap().len() as u64, version + 1);
}

/// A file system of four megabytes, in memory.
struct Mounted(PathBuf);

impl Mounted {
    fn on(directory: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "everstep-test"]).arg(directory).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(directory.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the store may still be open if the test fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Where the process that is to be killed finds its directory.
const VICTIM: &str = "EVERSTEP_STORE_TEST_VICTIM";

/// Executions that the victim commits to at the same time.
const EXECUTIONS: u64 = 8;

/// Not a test but the process that `what_was_acknowledged_survives_sudden_death` kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs as a process of another test"]
async fn victim() {
    let Some(directory) = std::env::var_os(VICTIM) else {
        return;
    };
    let store = Arc::new(Sqlite::open(Path::new(&directory)).unwrap());
    let committing = (0..EXECUTIONS).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let known = store.load(id(number), u64::MAX).await.unwrap().map_or(0, |records| records.len() as u64);
            for version in known + 1.. {
                let payload = format!("payload {version} of {number} {}", "x".repeat(5_000));
                let payloads = vec![(everstep_core::Digest::of(&payload), payload.into())];
                let commit = Commit { payloads, ..commit(id(number), version) };
                if version == 1 {
                    store.create(new("f", &format!("n{number}"), 0), commit).await.unwrap();
                } else {
                    store.commit(commit).await.unwrap();
                }
                writeln!(std::io::stdout(), "acknowledged {number} {version}").unwrap();
            }
        })
    });
    for task in committing.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_sudden_death() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    for lines in [1, 300, 40, 7, 500, 90, 3, 1_200, 20, 150] {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--ignored", "--nocapture"])
            .env(VICTIM, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(victim.stdout.take().unwrap());
        let mut seen = 0;
        for line in output.lines() {
            let line = line.unwrap();
            // The test harness has lines of its own, and the last one may be cut short.
            let words: Vec<&str> = line.split(' ').collect();
            let ["acknowledged", number, version] = words[..] else {
                continue;
            };
            if let (Ok(number), Ok(version)) = (number.parse(), version.parse()) {
                acknowledged.insert(number, version);
            }
            seen += 1;
            if seen == lines {
                // It goes on committing while the signal is on its way.
                victim.kill().unwrap();
            }
        }
        victim.wait().unwrap();
        assert!(seen >= lines, "the victim died by itself");
        let store = Sqlite::open(directory.path()).unwrap();
        for (number, version) in &acknowledged {
            let records = store.load(id(*number), u64::MAX).await.unwrap().unwrap();
            assert!(records.len() as u64 >= *version, "{number} was acknowledged up to {version}");
            for (record, expected) in records.iter().zip(1..) {
                assert_eq!(record.version, expected);
                let payload = format!("payload {expected} of {number} {}", "x".repeat(5_000));
                let digest = everstep_core::Digest::of(&payload);
                assert_eq!(store.payload(id(*number), digest).await.unwrap().as_deref(), Some(payload.as_str()));
            }
        }
    }
    assert_eq!(acknowledged.len() as u64, EXECUTIONS);
}
