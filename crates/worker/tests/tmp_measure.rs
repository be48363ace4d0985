mod support;
use std::time::Instant;
use everstep_worker::Runtime;
use support::{Code, World, invocation};
async fn go(name: &str, code: impl Fn() -> Code, sdk: bool) {
    let world = World::with(|c| { c.install_sdks = sdk; c.processes_max = 200; });
    let one = code();
    world.supervisor.prepare(one.function.runtime).await.unwrap();
    world.value(&one, "1").await;
    let mut cold = Vec::new();
    for _ in 0..15 { let c = code(); let t = Instant::now(); let s = world.supervisor.acquire(&c.function).await.unwrap(); cold.push(t.elapsed()); s.invoke(invocation("1")).await.result.unwrap(); world.supervisor.retire(&c.function.key); }
    cold.sort();
    let mut warm = Vec::new();
    for _ in 0..500 { let t = Instant::now(); world.invoke(&one, "1").await.result.unwrap(); warm.push(t.elapsed()); }
    warm.sort();
    println!("{name}: cold median {:?} max {:?}; warm median {:?} p99 {:?}", cold[7], cold[14], warm[250], warm[495]);
    world.supervisor.shutdown().await;
}
#[tokio::test(flavor = "multi_thread")]
async fn measure() {
    go("python", || Code::python("def handler(e, c): return e\n"), false).await;
    go("python+boto3", || Code::python("import boto3\nclient = boto3.client('lambda')\ndef handler(e, c): return e\n"), true).await;
    go("node", || Code::node("export const handler = async (e) => e;\n"), false).await;
    go("node+sdk", || Code::node("import { LambdaClient } from '@aws-sdk/client-lambda'; const c = new LambdaClient(); export const handler = async (e) => e;\n"), true).await;
    go("sh", || Code::new(Runtime::ProvidedAl2023, "x", &[("bootstrap", "#!/usr/bin/env python3\nimport http.client, os\napi = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\ndef call(m, p, b=None):\n    api.request(m, p, b)\n    a = api.getresponse()\n    return a, a.read()\nwhile True:\n    a, b = call('GET', '/2018-06-01/runtime/invocation/next')\n    call('POST', '/2018-06-01/runtime/invocation/' + a.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', b)\n")]), false).await;
}
