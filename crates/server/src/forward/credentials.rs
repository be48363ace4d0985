//! The operator's keys for real services, from where AWS's command line has them.
//!
//! Keys that stand in a file or in the environment are read, also those with a session token. Nothing is asked for
//! elsewhere: no single sign-on, no process, no metadata of a machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use aws_credential_types::Credentials;

/// Where a key is read.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// The server's environment.
    Environment,
    /// A profile: what comes later in the files wins.
    Profile {
        /// Its name.
        name: String,
        /// Where it is looked for.
        files: Vec<PathBuf>,
    },
}

/// A key, and what its profile says besides.
pub struct Found {
    /// The key.
    pub key: Credentials,
    /// The Region that is set beside it.
    pub region: Option<String>,
}

/// Settings of a profile that have a key made, with what to do instead.
const MADE_ELSEWHERE: [&str; 6] =
    ["credential_process", "sso_session", "sso_start_url", "role_arn", "web_identity_token_file", "credential_source"];

impl Source {
    /// Decides where to look, as AWS's command line does: what is named, else the environment, else its profile.
    pub fn new(profile: Option<&str>, file: Option<&Path>) -> Self {
        let in_environment = variable("AWS_ACCESS_KEY_ID").is_some();
        if profile.is_none() && file.is_none() && in_environment {
            return Self::Environment;
        }
        let name = profile.map(String::from).or_else(|| variable("AWS_PROFILE")).unwrap_or_else(|| "default".into());
        let files = match file {
            Some(file) => vec![file.to_path_buf()],
            None => {
                let file = |named: &str, usual: &str| {
                    let home = || Some(PathBuf::from(variable("HOME")?).join(".aws").join(usual));
                    variable(named).map(PathBuf::from).or_else(home)
                };
                let files = [file("AWS_CONFIG_FILE", "config"), file("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
                files.into_iter().flatten().collect()
            }
        };
        Self::Profile { name, files }
    }

    /// Reads the key.
    ///
    /// # Errors
    /// If there is none, or it would have to be made.
    pub fn read(&self) -> anyhow::Result<Found> {
        match self {
            Self::Environment => {
                let [id, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(variable);
                let (Some(id), Some(secret)) = (id, secret) else {
                    bail!("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
                };
                let key = Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment");
                Ok(Found { key, region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")) })
            }
            Self::Profile { name, files } => {
                let mut settings = BTreeMap::new();
                let mut found = false;
                for file in files.iter().filter(|file| file.exists()) {
                    let text =
                        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                    if let Some(profile) = profile(&text, name) {
                        found = true;
                        settings.extend(profile);
                    }
                }
                let shown: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                let shown = shown.join(" and ");
                ensure!(
                    found,
                    "there is no profile `{name}` in {shown}; make it with `aws configure --profile {name}`, or name another one with `profile`"
                );
                key(name, &settings)
            }
        }
    }
}

fn key(name: &str, settings: &BTreeMap<String, String>) -> anyhow::Result<Found> {
    let setting = |name: &str| settings.get(name).filter(|value| !value.is_empty()).cloned();
    if let (Some(id), Some(secret)) = (setting("aws_access_key_id"), setting("aws_secret_access_key")) {
        let key = Credentials::new(id, secret, setting("aws_session_token"), None, "profile");
        return Ok(Found { key, region: setting("region") });
    }
    if let Some(made) = MADE_ELSEWHERE.into_iter().find(|name| settings.contains_key(*name)) {
        bail!(
            "profile `{name}` has its key made by `{made}`, which Everstep does not do: start it with the key in its environment, by `eval \"$(aws configure export-credentials --profile {name} --format env)\"`, and leave `profile` out"
        );
    }
    bail!("profile `{name}` has no aws_access_key_id with an aws_secret_access_key")
}

/// Reads a profile from a file, `None` if it is not there. In one of the two files the section is called `profile NAME`.
fn profile(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines() {
        // What is indented belongs to a setting that has settings of its own: none that is read here.
        if line.starts_with([' ', '\t', '#', ';']) || line.trim().is_empty() {
            continue;
        }
        if let Some(section) = line.trim().strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default().trim();
            let section = section.strip_prefix("profile ").map_or(section, str::trim).trim_matches(['"', '\'']);
            inside = section == name;
            if inside {
                found.get_or_insert_with(BTreeMap::new);
            }
        } else if let (true, Some(found), Some((setting, value))) = (inside, &mut found, line.split_once('=')) {
            let value = value.split_once(" #").map_or(value, |(value, _)| value);
            found.insert(setting.trim().to_lowercase(), value.trim().to_string());
        }
    }
    found
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, secret, token and Region.
    type Read<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

    fn check(texts: &[&str], name: &str, expected: Result<Read<'_>, &str>) {
        let directory = tempfile::tempdir().unwrap();
        let mut files = vec![directory.path().join("missing")];
        for (number, text) in texts.iter().enumerate() {
            files.push(directory.path().join(number.to_string()));
            std::fs::write(&files[number + 1], text).unwrap();
        }
        let found = Source::Profile { name: name.into(), files }.read();
        match (found, expected) {
            (Ok(Found { key, region }), Ok(expected)) => {
                let read = (key.access_key_id(), key.secret_access_key(), key.session_token(), region.as_deref());
                assert_eq!(read, expected, "{texts:?}");
            }
            (Err(error), Err(message)) => assert!(error.to_string().contains(message), "{error}"),
            (Ok(_), Err(message)) => panic!("{texts:?} is read, not: {message}"),
            (Err(error), Ok(_)) => panic!("{error}"),
        }
    }

    #[test]
    fn profiles_are_read_as_the_command_line_reads_them() {
        const KEY: &str = "aws_access_key_id=AK\naws_secret_access_key = a/b+c=\n";
        check(&[&format!("[default]\n{KEY}")], "default", Ok(("AK", "a/b+c=", None, None)));
        check(&[&format!("[other]\nx = 1\n[ me ]\n{KEY}[next]\nregion = x")], "me", Ok(("AK", "a/b+c=", None, None)));
        check(
            &["# comment\n[profile me]\nregion = eu-west-1 # here\ns3 =\n  region = no\n", &format!("[me]\n{KEY}")],
            "me",
            Ok(("AK", "a/b+c=", None, Some("eu-west-1"))),
        );
        check(
            &[&format!("[profile \"me\"]\n{KEY}aws_session_token = T\n")],
            "me",
            Ok(("AK", "a/b+c=", Some("T"), None)),
        );
        check(
            &["[profile me]\naws_access_key_id=old\naws_secret_access_key=old\n", &format!("[me]\n{KEY}")],
            "me",
            Ok(("AK", "a/b+c=", None, None)),
        );
    }

    #[test]
    fn profile_without_a_key_says_what_to_do() {
        check(&["[other]\n"], "me", Err("there is no profile `me`"));
        check(&["[me]\nregion = x\n"], "me", Err("profile `me` has no aws_access_key_id"));
        check(&["[me]\naws_access_key_id = AK\n"], "me", Err("profile `me` has no aws_access_key_id"));
        for made in MADE_ELSEWHERE {
            check(&[&format!("[me]\n{made} = x\n")], "me", Err(made));
        }
        check(&["[me]\nsso_session = x\n"], "me", Err("aws configure export-credentials --profile me"));
    }
}
