//! Extensions, which are not run: who brings some along is told so, rather than left to wonder.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Function;

/// Returns a line for the function's log if its layers or its code bring extensions along.
pub(crate) fn warning(function: &Function) -> Option<String> {
    let roots = function.layers_dir.iter().chain([&function.code_dir]);
    let mut names: Vec<String> = roots.flat_map(|root| programs(&root.join("extensions"))).collect();
    names.sort();
    let names = Some(names.join(", ")).filter(|names| !names.is_empty())?;
    Some(format!(
        "WARN extensions are not run by Everstep: {names}; remove the layer or the files that bring them along"
    ))
}

fn programs(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let programs = entries.filter(|entry| is_program(&entry.path()));
    programs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
