//! Deploys a project, and again each time that one of its files is saved.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::build::NOT_CODE;
use crate::client::Client;
use crate::deploy::{self, Project, Settings};
use crate::output;

/// How long nothing may be saved any more before it is deployed: editors save in several steps.
const QUIET: Duration = Duration::from_millis(150);

/// Directories that tools write into beside the code.
const WRITTEN_BY_TOOLS: [&str; 1] = ["target"];

/// Goes on until it is cut off. What goes wrong is said, and the next save is another try.
pub async fn watch(client: Client, path: PathBuf, settings: Settings) {
    if let Err(error) = try_watch(&client, &path, &settings).await {
        output::say(&format!("not watched: {error:#}\n"));
    }
}

async fn try_watch(client: &Client, path: &Path, settings: &Settings) -> anyhow::Result<()> {
    let directory = if path.is_dir() { path } else { path.parent().context("a file is in a directory")? };
    let directory = directory.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    // One note is enough: it is looked at after all of them.
    let (sender, mut saved) = mpsc::channel(1);
    let root = directory.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if let Ok(event) = event
            && let Some(file) = changed(&root, &event)
        {
            let _ = sender.try_send(file);
        }
    })?;
    watcher.watch(&directory, RecursiveMode::Recursive)?;
    deploy_now(client, path, settings).await;
    output::say(&format!("watching {}: save a file and it is deployed\n", directory.display()));
    while let Some(file) = saved.recv().await {
        while tokio::time::timeout(QUIET, saved.recv()).await.is_ok_and(|another| another.is_some()) {}
        output::say(&format!("{} was saved: deploying\n", file.display()));
        deploy_now(client, path, settings).await;
    }
    Ok(())
}

async fn deploy_now(client: &Client, path: &Path, settings: &Settings) {
    let began = Instant::now();
    let deployed = async {
        let project = Project::find(path, settings)?;
        deploy::deploy(client, &project, settings, false, false).await
    };
    match deployed.await {
        Ok(deployed) => {
            output::say(&format!("{}deployed in {:.1} s\n", deployed.text(), began.elapsed().as_secs_f64()));
        }
        Err(error) => output::say(&format!("not deployed: {error:#}\n")),
    }
}

/// Returns the file, seen from the project, that an event says was changed; `None` if it is no code.
fn changed(root: &Path, event: &Event) -> Option<PathBuf> {
    match event.kind {
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => {}
        EventKind::Any | EventKind::Access(_) | EventKind::Other => return None,
    }
    let file = event.paths.first()?.strip_prefix(root).ok()?;
    let is_code = |part: &std::ffi::OsStr| !NOT_CODE.iter().chain(&WRITTEN_BY_TOOLS).any(|name| part == *name);
    file.iter().all(is_code).then(|| file.to_path_buf())
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind};

    use super::*;

    #[test]
    fn saved_code_counts_and_what_tools_write_does_not() {
        let check = |kind: EventKind, path: &str, expected: Option<&str>| {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(changed(Path::new("/project"), &event), expected.map(PathBuf::from), "{path}");
        };
        let made = EventKind::Create(CreateKind::File);
        check(made, "/project/src/app.py", Some("src/app.py"));
        check(made, "/project/template.yaml", Some("template.yaml"));
        check(EventKind::Access(AccessKind::Any), "/project/src/app.py", None);
        for path in
            ["/project/.everstep/build/R/app.py", "/project/a/node_modules/b", "/project/target/classes/A.class"]
        {
            check(made, path, None);
        }
    }
}
