//! What is deployed: a template, and what `samconfig.toml` beside it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::Settings;

/// A template and how it is deployed.
#[derive(Debug)]
pub struct Project {
    /// Where the template is; what it names is looked for from here.
    pub directory: PathBuf,
    /// The template, read.
    pub template: Value,
    /// What the stack is called.
    pub stack_name: String,
    /// The values of parameters that are given.
    pub parameters: BTreeMap<String, String>,
    /// Whether `samconfig.toml` wants changes to be confirmed.
    pub confirm: bool,
}

/// What a template is called if only its directory is named.
const NAMES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// As much of `samconfig.toml` as says how to deploy. Source: AWS SAM Developer Guide, configuration file.
#[derive(Debug, Default, Deserialize)]
struct SamConfig {
    #[serde(default)]
    default: Environment,
}

#[derive(Debug, Default, Deserialize)]
struct Environment {
    #[serde(default)]
    global: Command,
    #[serde(default)]
    deploy: Command,
}

#[derive(Debug, Default, Deserialize)]
struct Command {
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Debug, Default, Deserialize)]
struct Parameters {
    stack_name: Option<String>,
    parameter_overrides: Option<Overrides>,
    confirm_changeset: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Overrides {
    Text(String),
    List(Vec<String>),
    Table(BTreeMap<String, Value>),
}

impl Project {
    /// Finds and reads a project.
    ///
    /// # Errors
    /// If there is no template, or it cannot be read.
    pub fn find(path: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let file = if path.is_dir() {
            let found = NAMES.iter().map(|name| path.join(name)).find(|file| file.is_file());
            found.with_context(|| format!("there is no {} in {}", NAMES.join(" or "), path.display()))?
        } else {
            path.to_path_buf()
        };
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let template = everstep_template::document::parse(&text)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("cannot understand {}", file.display()))?;
        let directory = file.canonicalize()?.parent().context("a file is in a directory")?.to_path_buf();
        let SamConfig { default: Environment { global, deploy } } = sam_config(&directory)?;
        let (global, own) = (global.parameters, deploy.parameters);
        let named = settings.stack_name.clone().or(own.stack_name).or(global.stack_name);
        let stack_name = match named {
            Some(name) => name,
            None => name_of(&directory)?,
        };
        let mut parameters = BTreeMap::new();
        for overrides in [global.parameter_overrides, own.parameter_overrides].into_iter().flatten() {
            parameters.extend(overrides.read()?);
        }
        parameters.extend(settings.parameters.iter().cloned());
        let confirm = own.confirm_changeset.or(global.confirm_changeset).unwrap_or(false);
        Ok(Self { directory, template, stack_name, parameters, confirm })
    }
}

fn sam_config(directory: &Path) -> anyhow::Result<SamConfig> {
    let file = directory.join("samconfig.toml");
    if !file.is_file() {
        return Ok(SamConfig::default());
    }
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot understand {}", file.display()))
}

/// Makes a stack's name of that of a directory: letters, digits and hyphens, a letter first.
fn name_of(directory: &Path) -> anyhow::Result<String> {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let name = name.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).trim_end_matches('-');
    ensure!(!name.is_empty(), "{} makes no name of a stack: give one with --stack-name", directory.display());
    Ok(name.into())
}

impl Overrides {
    fn read(self) -> anyhow::Result<BTreeMap<String, String>> {
        let pairs: Vec<String> = match self {
            Self::Table(values) => {
                let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), String::from);
                return Ok(values.into_iter().map(|(key, value)| (key, plain(value))).collect());
            }
            Self::List(pairs) => pairs,
            Self::Text(text) => words(&text),
        };
        let read = pairs.into_iter().map(|pair| match pair.split_once('=') {
            Some((key, value)) => Ok((key.to_string(), value.trim_matches('"').to_string())),
            None => bail!("parameter_overrides in samconfig.toml: `{pair}` is not like KEY=VALUE"),
        });
        read.collect()
    }
}

/// Takes a text apart at its blanks, but not inside quotes.
fn words(text: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = text.split(|letter: char| {
        quoted ^= letter == '"';
        letter.is_whitespace() && !quoted
    });
    parts.filter(|part| !part.is_empty()).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], settings: &Settings, expected: Result<&str, &str>) {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().join("2 my-shop_");
        fs::create_dir(&project).unwrap();
        for (name, text) in files {
            fs::write(project.join(name), text).unwrap();
        }
        let found = Project::find(&project, settings);
        match (found, expected) {
            (Ok(project), Ok(expected)) => {
                let Project { stack_name, parameters, confirm, .. } = project;
                assert_eq!(format!("{stack_name} {parameters:?} {confirm}"), expected);
            }
            (Err(error), Err(message)) => assert!(format!("{error:#}").contains(message), "{error:#}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn project_is_a_template_with_what_samconfig_says() {
        let template = ("template.yaml", "Resources: {}");
        let none = Settings::default();
        check(&[template], &none, Ok("my-shop {} false"));
        check(&[], &none, Err("there is no template.yaml or template.yml or template.json"));
        check(&[("template.json", "{")], &none, Err("cannot understand"));
        let config = "version = 0.1\n[default.global.parameters]\nstack_name = 'a'\nconfirm_changeset = true\n[default.deploy.parameters]\n";
        let with = |more: &str| format!("{config}{more}");
        let text = with("parameter_overrides = 'A=1 B=\"two words\"'\ncapabilities = 'CAPABILITY_IAM'");
        check(&[template, ("samconfig.toml", &text)], &none, Ok(r#"a {"A": "1", "B": "two words"} true"#));
        let text = with("stack_name = 'b'\nparameter_overrides = ['A=x=y']\nconfirm_changeset = false");
        check(&[template, ("samconfig.toml", &text)], &none, Ok(r#"b {"A": "x=y"} false"#));
        let given = Settings {
            stack_name: Some("c".into()),
            parameters: vec![("A".into(), "3".into()), ("C".into(), "4".into())],
            ..none.clone()
        };
        let text = with("parameter_overrides = {A = 1, B = 'x'}");
        check(&[template, ("samconfig.toml", &text)], &given, Ok(r#"c {"A": "3", "B": "x", "C": "4"} true"#));
        let text = with("parameter_overrides = 'A'");
        check(&[template, ("samconfig.toml", &text)], &none, Err("`A` is not like KEY=VALUE"));
    }
}
