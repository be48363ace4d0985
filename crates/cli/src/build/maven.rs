//! Java: classes, and beside them in `lib` what `pom.xml` names, by Maven.

use std::path::Path;
use std::process::Command;

use super::copy_but;
use super::tool::run;

/// Builds into `target`.
pub fn build(source: &Path, target: &Path) -> anyhow::Result<()> {
    // A project that brings its Maven along wants that one.
    let wrapper = source.canonicalize()?.join("mvnw");
    let mut maven = Command::new(if wrapper.is_file() { wrapper.as_os_str() } else { "mvn".as_ref() });
    maven.args(["--quiet", "--batch-mode", "-Dstyle.color=never", "process-classes", "dependency:copy-dependencies"]);
    maven.args(["-DincludeScope=runtime", "-Dmdep.prependGroupId=true"]);
    maven.arg(format!("-DoutputDirectory={}", target.join("lib").display()));
    run(maven.current_dir(source))?;
    copy_but(&source.join("target/classes"), target, &[])
}
