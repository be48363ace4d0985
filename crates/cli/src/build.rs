//! Builds what the functions and layers of a template are made of: one directory each, ready to be packed.
//!
//! It reads the template and runs the tools of each language (one file each below `build/`); it knows no server.
//! Start reading at [`parts`], which says what there is to build and how, and [`Part::build`].

mod esbuild;
mod make;
mod maven;
mod node;
mod python;
mod rust;
mod tool;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

/// Where everything that is built is kept, beside the template.
pub const DIRECTORY: &str = ".everstep";

/// What is never part of the code that it lies beside.
pub const NOT_CODE: [&str; 8] =
    [DIRECTORY, ".aws-sam", ".git", ".venv", "__pycache__", "cdk.out", "node_modules", ".pytest_cache"];

/// A function or layer whose code is here rather than in a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name in the template.
    pub logical_id: String,
    kind: Kind,
    /// Where its code is: a directory, or a file that is packed already.
    pub source: PathBuf,
    method: Method,
}

/// The types of resources that have code, or other contents that are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ServerlessFunction,
    ServerlessLayer,
    LambdaFunction,
    LambdaLayer,
}

/// How code is built.
#[derive(Clone, Debug, PartialEq)]
enum Method {
    /// It is as it shall be.
    None,
    /// With what `requirements.txt` names.
    Python { version: String },
    /// With what `package.json` names.
    Node,
    /// As one file, by esbuild.
    Esbuild { handler: Option<String>, properties: Value },
    /// By a target of a makefile.
    Make { directory: PathBuf },
    /// By cargo.
    Rust { binary: Option<String> },
    /// By Maven.
    Maven,
}

/// Returns what there is to build for a template in `directory`, with these values of its parameters.
///
/// # Errors
/// If code is not there, or is to be built in a way that is not known.
pub fn parts(template: &Value, directory: &Path, parameters: &BTreeMap<String, String>) -> anyhow::Result<Vec<Part>> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    let project = Project { template, directory, parameters };
    let found = resources.map(|(logical_id, resource)| {
        project.part(logical_id, resource).with_context(|| format!("resource `{logical_id}`"))
    });
    found.filter_map(Result::transpose).collect()
}

impl Part {
    /// Builds it below `directory`, which belongs to the project. Returns what is to be packed: a directory, or a packed file.
    ///
    /// # Errors
    /// What the tool says.
    pub fn build(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        if self.source.is_file() {
            return Ok(self.source.clone());
        }
        let built = directory.join("build").join(&self.logical_id);
        let _ = fs::remove_dir_all(&built);
        let inside = match self.method.directory_in_layer().filter(|_| self.kind.is_layer()) {
            Some(inside) => built.join(inside),
            None => built.clone(),
        };
        fs::create_dir_all(&inside).with_context(|| format!("cannot create {}", inside.display()))?;
        let inside = inside.canonicalize()?;
        let kept = directory.join("dependencies");
        match &self.method {
            Method::None => copy(&self.source, &inside)?,
            Method::Python { version } => python::build(&self.source, &inside, &kept, version)?,
            Method::Node => node::build(&self.source, &inside, &kept)?,
            Method::Esbuild { handler, properties } => {
                esbuild::build(&self.source, &inside, &kept, handler.as_deref(), properties)?;
            }
            Method::Make { directory } => make::build(directory, &inside, &self.logical_id)?,
            Method::Rust { binary } => rust::build(&self.source, &inside, binary.as_deref())?,
            Method::Maven => maven::build(&self.source, &inside)?,
        }
        Ok(built)
    }

    /// Says whether another part is built of the same, in the same way. What a makefile does goes by the name.
    pub fn is_like(&self, other: &Self) -> bool {
        let same = self.source == other.source && self.method == other.method;
        same && self.kind.is_layer() == other.kind.is_layer() && !matches!(self.method, Method::Make { .. })
    }

    /// Says what is done to build it; `None` if it only has to be packed.
    pub fn work(&self) -> Option<&'static str> {
        match &self.method {
            Method::None => None,
            Method::Python { .. } => Some("pip"),
            Method::Node => Some("npm"),
            Method::Esbuild { .. } => Some("esbuild"),
            Method::Make { .. } => Some("make"),
            Method::Rust { .. } => Some("cargo"),
            Method::Maven => Some("Maven"),
        }
    }

    /// Leaves it as it is, built by somebody else.
    pub fn without_building(self) -> Self {
        Self { method: Method::None, ..self }
    }

    /// Writes into a template where its code is in a bucket.
    pub fn locate(&self, template: &mut Value, bucket: &str, key: &str) {
        let location = match self.kind {
            Kind::ServerlessFunction | Kind::ServerlessLayer => json!({"Bucket": bucket, "Key": key}),
            Kind::LambdaFunction | Kind::LambdaLayer => json!({"S3Bucket": bucket, "S3Key": key}),
        };
        template["Resources"][&self.logical_id]["Properties"][self.kind.property()] = location;
    }
}

impl Kind {
    fn of(resource_type: &str) -> Option<Self> {
        match resource_type {
            "AWS::Serverless::Function" => Some(Self::ServerlessFunction),
            "AWS::Serverless::LayerVersion" => Some(Self::ServerlessLayer),
            "AWS::Lambda::Function" => Some(Self::LambdaFunction),
            "AWS::Lambda::LayerVersion" => Some(Self::LambdaLayer),
            _ => None,
        }
    }

    fn property(self) -> &'static str {
        match self {
            Self::ServerlessFunction => "CodeUri",
            Self::ServerlessLayer => "ContentUri",
            Self::LambdaFunction => "Code",
            Self::LambdaLayer => "Content",
        }
    }

    fn is_layer(self) -> bool {
        match self {
            Self::ServerlessLayer | Self::LambdaLayer => true,
            Self::ServerlessFunction | Self::LambdaFunction => false,
        }
    }
}

impl Method {
    /// Returns where in a layer the language looks for packages. A makefile decides for itself.
    fn directory_in_layer(&self) -> Option<&'static str> {
        match self {
            Self::Python { .. } => Some("python"),
            Self::Node => Some("nodejs"),
            Self::Maven => Some("java"),
            Self::None | Self::Esbuild { .. } | Self::Make { .. } | Self::Rust { .. } => None,
        }
    }
}

struct Project<'a> {
    template: &'a Value,
    directory: &'a Path,
    parameters: &'a BTreeMap<String, String>,
}

impl Project<'_> {
    fn part(&self, logical_id: &str, resource: &Value) -> anyhow::Result<Option<Part>> {
        let Some(kind) = resource["Type"].as_str().and_then(Kind::of) else { return Ok(None) };
        // What has its code in the template, in an image or in a bucket is not built.
        let Some(uri) = self.property(kind, resource, kind.property()).as_str() else { return Ok(None) };
        if uri.starts_with("s3://") {
            return Ok(None);
        }
        let source = self.directory.join(uri);
        ensure!(source.exists(), "{} is not there: {} names it", source.display(), kind.property());
        let method = if source.is_file() { Method::None } else { self.method(kind, resource, &source)? };
        Ok(Some(Part { logical_id: logical_id.into(), kind, source, method }))
    }

    fn method(&self, kind: Kind, resource: &Value, source: &Path) -> anyhow::Result<Method> {
        let metadata = &resource["Metadata"];
        if text(&metadata["SkipBuild"]).is_some_and(|skip| skip.eq_ignore_ascii_case("true")) {
            return Ok(Method::None);
        }
        let runtime = self.text(self.property(kind, resource, "Runtime"));
        let named = self.text(&metadata["BuildMethod"]);
        // A layer is only built if it says how.
        let name = named.clone().or_else(|| runtime.filter(|_| !kind.is_layer())).unwrap_or_default();
        let has = |file: &str| source.join(file).is_file();
        let properties = &metadata["BuildProperties"];
        Ok(match name.as_str() {
            "makefile" => {
                let directory = self.text(&metadata["WorkingDirectory"]);
                Method::Make { directory: directory.map_or_else(|| source.into(), |own| self.directory.join(own)) }
            }
            "esbuild" => {
                let handler = self.text(self.property(kind, resource, "Handler"));
                Method::Esbuild { handler, properties: properties.clone() }
            }
            "rust-cargolambda" => Method::Rust { binary: self.text(&properties["Binary"]) },
            python if python.starts_with("python") && has("requirements.txt") => {
                Method::Python { version: python.trim_start_matches("python").into() }
            }
            node if node.starts_with("nodejs") && has("package.json") => Method::Node,
            java if java.starts_with("java") && has("pom.xml") => Method::Maven,
            java if java.starts_with("java") && (has("build.gradle") || has("build.gradle.kts")) => bail!(
                "Everstep does not build with Gradle: give the resource `Metadata: {{BuildMethod: makefile}}` and a makefile that calls it, or build it first and say `SkipBuild: true`"
            ),
            known if ["python", "nodejs", "java", "provided"].iter().any(|name| known.starts_with(name)) => {
                Method::None
            }
            "" => Method::None,
            other if named.is_some() => bail!(
                "Everstep does not build by `{other}`: use `makefile`, or build it first and give it `Metadata: {{SkipBuild: true}}`"
            ),
            _ => Method::None,
        })
    }

    /// Returns a property, or what `Globals` has for it.
    fn property<'a>(&'a self, kind: Kind, resource: &'a Value, name: &str) -> &'a Value {
        let section = match kind {
            Kind::ServerlessFunction => "Function",
            Kind::ServerlessLayer => "LayerVersion",
            Kind::LambdaFunction | Kind::LambdaLayer => "",
        };
        let own = &resource["Properties"][name];
        if own.is_null() { &self.template["Globals"][section][name] } else { own }
    }

    /// Reads a text that may be the value of a parameter.
    fn text(&self, value: &Value) -> Option<String> {
        let Some(parameter) = value["Ref"].as_str() else { return text(value) };
        let given = self.parameters.get(parameter).cloned();
        given.or_else(|| text(&self.template["Parameters"][parameter]["Default"]))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Copies what is in a directory into another, but for what is no code.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    copy_but(from, to, &NOT_CODE)
}

/// Copies what is in a directory into another, but for what has one of these names.
fn copy_but(from: &Path, to: &Path, without: &[&str]) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if without.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        // Links are followed: what they lead to is the code.
        if source.is_dir() {
            copy_but(&source, &target, without)?;
        } else {
            fs::copy(&source, &target).with_context(|| format!("cannot copy {}", source.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn template(text: &str) -> Value {
        everstep_template::document::parse(text).unwrap()
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], resource: &str, expected: Result<Option<&str>, &str>) {
        let directory = project(files);
        let text = format!(
            "Globals: {{Function: {{Runtime: python3.13, CodeUri: src}}}}\nParameters: {{Runtime: {{Default: nodejs22.x}}}}\nResources: {{R: {resource}}}"
        );
        let found = parts(&template(&text), directory.path(), &BTreeMap::new());
        match (found, expected) {
            (Ok(parts), Ok(method)) => {
                let method_found = parts.first().map(|part| format!("{:?}", part.method));
                assert_eq!(method_found.as_deref(), method, "{resource}");
            }
            (Err(error), Err(message)) => assert!(format!("{error:#}").contains(message), "{error:#}"),
            (found, expected) => panic!("{resource}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn how_code_is_built_is_read_off_the_template_and_the_files() {
        let python = [("src/app.py", ""), ("src/requirements.txt", ""), ("src/package.json", "")];
        let function = "{Type: AWS::Serverless::Function";
        check(&python, &format!("{function}}}"), Ok(Some(r#"Python { version: "3.13" }"#)));
        check(&python[..1], &format!("{function}}}"), Ok(Some("None")));
        check(&python, &format!("{function}, Metadata: {{SkipBuild: 'True'}}}}"), Ok(Some("None")));
        check(&python, &format!("{function}, Properties: {{Runtime: !Ref Runtime}}}}"), Ok(Some("Node")));
        check(
            &python,
            &format!("{function}, Metadata: {{BuildMethod: esbuild}}, Properties: {{Handler: app.handler}}}}"),
            Ok(Some(r#"Esbuild { handler: Some("app.handler"), properties: Null }"#)),
        );
        check(
            &python,
            &format!("{function}, Metadata: {{BuildMethod: rust-cargolambda, BuildProperties: {{Binary: b}}}}}}"),
            Ok(Some(r#"Rust { binary: Some("b") }"#)),
        );
        check(&[("src/pom.xml", "")], &format!("{function}, Properties: {{Runtime: java21}}}}"), Ok(Some("Maven")));
        check(&[("src/build.gradle", "")], &format!("{function}, Properties: {{Runtime: java21}}}}"), Err("Gradle"));
        check(
            &python,
            &format!("{function}, Metadata: {{BuildMethod: dotnet8}}}}"),
            Err("does not build by `dotnet8`"),
        );
        check(&[], &format!("{function}}}"), Err("resource `R`: "));
        check(
            &python,
            "{Type: AWS::Lambda::Function, Properties: {Code: src, Runtime: python3.12}}",
            Ok(Some(r#"Python { version: "3.12" }"#)),
        );
        check(&python, "{Type: AWS::Lambda::LayerVersion, Properties: {Content: src}}", Ok(Some("None")));
        check(
            &python,
            "{Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.13}, Properties: {ContentUri: src}}",
            Ok(Some(r#"Python { version: "3.13" }"#)),
        );
    }

    #[test]
    fn what_is_elsewhere_is_not_built() {
        for resource in [
            "{Type: AWS::S3::Bucket}",
            "{Type: AWS::Serverless::Function, Properties: {CodeUri: 's3://bucket/key'}}",
            "{Type: AWS::Serverless::Function, Properties: {CodeUri: {Bucket: b, Key: k}}}",
            "{Type: AWS::Lambda::Function, Properties: {Code: {ZipFile: x}}}",
        ] {
            check(&[], resource, Ok(None));
        }
    }

    #[test]
    fn what_is_made_of_the_same_in_the_same_way_is_alike() {
        let directory = project(&[("src/requirements.txt", ""), ("other/requirements.txt", "")]);
        let check = |a: &str, b: &str, expected: bool| {
            let resource = |text: &str| format!("{{Type: AWS::Serverless::Function, {text}}}");
            let text = format!("Resources: {{A: {}, B: {}}}", resource(a), resource(b));
            let parts = parts(&template(&text), directory.path(), &BTreeMap::new()).unwrap();
            assert_eq!(parts[0].is_like(&parts[1]), expected, "{a}, {b}");
        };
        let python = |rest: &str| format!("Properties: {{Runtime: python3.13, {rest}}}");
        check(&python("CodeUri: src, Handler: a.a"), &python("CodeUri: ./src, Handler: b.b"), true);
        check(&python("CodeUri: src"), &python("CodeUri: other"), false);
        check(&python("CodeUri: src"), "Properties: {Runtime: python3.14, CodeUri: src}", false);
        let make = "Metadata: {BuildMethod: makefile}, Properties: {CodeUri: src}";
        check(make, make, false);
    }

    #[test]
    fn code_is_copied_without_what_is_none_and_located_in_a_bucket() {
        let directory =
            project(&[("src/app.py", "x"), ("src/.git/HEAD", ""), ("src/a/__pycache__/b", ""), ("src/a/c", "y")]);
        let mut template = template("Resources: {R: {Type: AWS::Lambda::Function, Properties: {Code: src}}}");
        let part = parts(&template, directory.path(), &BTreeMap::new()).unwrap().pop().unwrap();
        let built = part.build(&directory.path().join(DIRECTORY)).unwrap();
        let zip = crate::code::zip_directory(&built).unwrap();
        let archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
        assert_eq!(archive.file_names().collect::<Vec<_>>(), ["a/c", "app.py"]);
        part.locate(&mut template, "b", "k");
        assert_eq!(template["Resources"]["R"]["Properties"]["Code"], json!({"S3Bucket": "b", "S3Key": "k"}));
    }
}
