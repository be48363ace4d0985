//! The AWS SDKs that come with a runtime. The first run installs them from PyPI and npm.

mod support;

use std::sync::{Arc, Mutex};

use everstep_worker::{Install, Runtime};
use support::{Code, World};

fn world() -> World {
    World::with(|config| config.install = Install::Everything)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_functions_find_boto3_and_their_own_first() {
    let world = world();
    let text = "import boto3\ndef handler(event, context): return boto3.client('lambda').meta.endpoint_url\n";
    let code = Code::python(text);
    assert_eq!(world.value(&code, "1").await, "http://127.0.0.1:9");
    let own = Code::new(
        Runtime::Python313,
        "app.handler",
        &[("app.py", "import boto3\ndef handler(event, context): return boto3.own\n"), ("boto3.py", "own = 'mine'\n")],
    );
    assert_eq!(world.value(&own, "1").await, "mine");
    let elsewhere =
        "import os\ndef handler(event, context):\n    import boto3\n    return boto3.client('s3').meta.endpoint_url\n";
    assert_eq!(world.value(&Code::python(elsewhere), "1").await, "https://s3.amazonaws.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_functions_find_the_sdk_by_import_and_by_require() {
    let world = world();
    let body = "async () => { const client = new LambdaClient(); const { hostname, port } = await client.config.endpoint?.() ?? new URL(process.env.AWS_ENDPOINT_URL_LAMBDA); return [typeof InvokeCommand, hostname + ':' + port]; }";
    let modern = format!(
        "import {{ LambdaClient, InvokeCommand }} from '@aws-sdk/client-lambda'; export const handler = {body};\n"
    );
    let common = format!(
        "const {{ LambdaClient, InvokeCommand }} = require('@aws-sdk/client-lambda'); exports.handler = {body};\n"
    );
    for (name, text) in [("index.mjs", modern), ("index.js", common)] {
        let code = Code::new(Runtime::Nodejs22, "index.handler", &[(name, &text)]);
        assert_eq!(world.value(&code, "1").await, serde_json::json!(["function", "127.0.0.1:9"]));
    }
    let all = ["bedrock-runtime", "dynamodb", "eventbridge", "s3", "secrets-manager", "sns", "sqs", "ssm", "sts"];
    let text = format!(
        "exports.handler = async () => {{ require('@aws-sdk/lib-dynamodb'); return {all:?}.map((name) => Object.keys(require('@aws-sdk/client-' + name)).length > 10) }};\n"
    );
    let code = Code::new(Runtime::Nodejs22, "index.handler", &[("index.js", &text)]);
    assert_eq!(world.value(&code, "1").await, serde_json::json!(vec![true; all.len()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_uses_install_once() {
    let data_dir = tempfile::tempdir().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let world = World::with(|config| {
        config.runtimes_dir = data_dir.path().join("runtimes");
        config.install = Install::Everything;
        for runtime in ["python3.13", "python3.14"] {
            config.interpreters.insert(runtime.into(), "python3".into());
        }
        let said = said.clone();
        config.progress = Arc::new(move |line| said.lock().unwrap().push(line.to_owned()));
    });
    let prepare = |runtime| world.supervisor.prepare(runtime);
    let (a, b, c) = tokio::join!(prepare(Runtime::Python313), prepare(Runtime::Python313), prepare(Runtime::Python314));
    a.and(b).and(c).unwrap();
    let said = said.lock().unwrap().clone();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("installing boto3==") && said[0].ends_with("(once)"), "{said:?}");
    let names = std::fs::read_dir(data_dir.path().join("runtimes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("bootstrap-") && names[1].starts_with("sdk-python3."), "{names:?}");
}
