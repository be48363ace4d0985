//! AWS's runtime interface client for Java, out of Maven Central.
//!
//! Maven fetches it and what it depends on; only files with the known digests are taken.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::task::spawn_blocking;

use super::super::install::run;
use super::super::interpreter::SearchPath;
use super::option;
use crate::Error;

/// The class that is started.
const MAIN: &str = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda";

/// The client, and all that it depends on. Which version each has and what it contains, digests say.
const JARS: [(&str, &str); 5] = [
    (
        "aws-lambda-java-runtime-interface-client-2.10.1.jar",
        "b0dd01f45b7258da0e32ade0bff950b12d0cf279ccebf416ad8c3795af21f1db",
    ),
    ("aws-lambda-java-core-1.4.0.jar", "575c24393cc1ad645e83e618956eabd89ffe8cc09efae2cb62bc6589154d68ed"),
    ("aws-lambda-java-serialization-1.2.0.jar", "1513c1f945a3213f916a4b2de1760c97b51d84d110f82bbbcf9cfac53d5651e7"),
    ("annotations-2.34.0.jar", "fafdcb55f4e5af603f5219f4a2b080aa0decb562a7c0944f7a7eca82dd47e487"),
    ("utils-lite-2.34.0.jar", "efaf784f07ae526f0b5c89d71ef21cf16636131c47d44616e3df9bedc3f4f89a"),
];

/// What Maven is asked for.
const PROJECT: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>everstep</groupId>
  <artifactId>java-runtime</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId>
      <artifactId>aws-lambda-java-runtime-interface-client</artifactId>
      <version>2.10.1</version>
    </dependency>
  </dependencies>
</project>
"#;

/// The goal that fetches dependencies.
const GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// The client's own part that is no Java: it speaks with the Runtime API.
const LIBRARY: &str = "libaws-lambda-jni.so";

/// The property that tells where it is. Without it the client unpacks it to `/tmp` at each start, under one name.
const LIBRARY_PROPERTY: &str = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI";

/// Returns the texts that change with every version of every part.
pub(in super::super) fn parts() -> impl Iterator<Item = &'static str> {
    JARS.iter().map(|(_, digest)| *digest)
}

/// Returns the last part of a command line that starts the client, up to the name of the handler.
pub(super) fn start(client: &Path, behind: &[PathBuf]) -> [OsString; 7] {
    let mut class_path = OsString::new();
    for (number, path) in JARS.iter().map(|(name, _)| client.join(name)).chain(behind.iter().cloned()).enumerate() {
        if number > 0 {
            class_path.push(":");
        }
        class_path.push(path);
    }
    let library = option(&format!("-D{LIBRARY_PROPERTY}="), &client.join(LIBRARY));
    // The client writes to a file by its number, which only Java itself may do. And newer Javas warn of libraries that
    // are not theirs.
    let [opens, opened] = ["--add-opens", "java.base/java.io=ALL-UNNAMED"].map(OsString::from);
    [opens, opened, "--enable-native-access=ALL-UNNAMED".into(), library, "-cp".into(), class_path, MAIN.into()]
}

/// Installs the client into an empty directory.
pub(in super::super) async fn install(tools: &SearchPath, directory: &Path) -> Result<(), Error> {
    let maven = tools.first("mvn").ok_or_else(|| {
        Error::NotInstallable("there is no `mvn` on PATH to install AWS's runtime client for Java with".into())
    })?;
    let project = tempfile::Builder::new().prefix("everstep-maven-").tempdir();
    let project = project.map_err(Error::io("make a directory for Maven"))?;
    let file = project.path().join("pom.xml");
    fs::write(&file, PROJECT).map_err(Error::io(format!("write {}", file.display())))?;
    let mut command = Command::new(maven);
    command.args(["--batch-mode", "--quiet", "--file"]).arg(&file).args([GOAL, "-DincludeScope=runtime"]);
    command.arg(option("-DoutputDirectory=", directory));
    run(command).await?;
    let directory = directory.to_owned();
    let checking = spawn_blocking(move || {
        check(&directory).map_err(Error::NotInstallable)?;
        unpack_library(&directory).map_err(Error::io(format!("unpack {LIBRARY} in {}", directory.display())))
    });
    checking.await.expect("checking does not panic")
}

/// Fails unless there is exactly what is known.
fn check(directory: &Path) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("what Maven fetched cannot be read: {error}");
    for (name, expected) in JARS {
        let digest = Sha256::digest(fs::read(directory.join(name)).map_err(unreadable)?);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != expected {
            return Err(format!("Maven fetched another `{name}` than AWS published: its SHA-256 is {digest}"));
        }
    }
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if !JARS.iter().any(|(known, _)| name == *known) {
            return Err(format!("Maven fetched `{}`, which nobody asked for", name.display()));
        }
    }
    Ok(())
}

fn unpack_library(directory: &Path) -> io::Result<()> {
    // The client's names of processors are its own.
    let processor = if cfg!(target_arch = "aarch64") { "aarch_64" } else { std::env::consts::ARCH };
    let mut jar = zip::ZipArchive::new(File::open(directory.join(JARS[0].0))?)?;
    let mut library = Vec::new();
    jar.by_name(&format!("jni/libaws-lambda-jni.linux-{processor}.so"))?.read_to_end(&mut library)?;
    fs::write(directory.join(LIBRARY), library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_published_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = check(directory.path()).unwrap_err();
        assert!(error.contains("cannot be read"), "{error}");
        for (name, _) in JARS {
            fs::write(directory.path().join(name), "something else").unwrap();
        }
        let error = check(directory.path()).unwrap_err();
        assert!(error.contains("another `aws-lambda-java-runtime-interface-client-2.10.1.jar`"), "{error}");
    }

    #[test]
    fn code_comes_behind_the_client() {
        let command = start(Path::new("/c"), &["/code".into(), "/code/lib/a.jar".into()]);
        let class_path = command[5].to_str().unwrap();
        assert!(class_path.starts_with("/c/aws-lambda-java-runtime-interface-client-"), "{class_path}");
        assert!(class_path.ends_with(".jar:/code:/code/lib/a.jar"), "{class_path}");
    }
}
