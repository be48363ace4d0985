//! Executions of ten steps, invoked one after the other by callers that wait.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use everstep_worker::Runtime;
use serde_json::json;

use crate::deployment::{NATIVE, create_native, create_packaged, invoke_until};
use crate::figure::{Distribution, Figures, Unit};
use crate::stub::Stub;
use crate::worker::Job;

use super::Context;

/// A language of AWS's SDKs, as it is deployed.
struct Language {
    name: &'static str,
    title: &'static str,
    runtime: Runtime,
}

const LANGUAGES: [Language; 2] = [
    Language { name: "javascript", title: "JavaScript", runtime: Runtime::Nodejs22 },
    Language { name: "python", title: "Python", runtime: Runtime::Python311 },
];

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.data("workflows");
    let server = run.binary.start(&data).await?;
    create_native(&server.client).await?;
    let ten_steps = serde_json::to_value(Job::Steps { prefill: 0, start_at: 0, end_at: i64::MAX, steps_max: 10 })?;
    for concurrency in [1, 16, 64] {
        let warm = Instant::now() + Duration::from_secs(1);
        invoke_until(&server.client, NATIVE, &ten_steps, concurrency, warm).await?;
        let begin = Instant::now();
        let end = begin + Duration::from_secs(run.pick(4, 2));
        let taken = invoke_until(&server.client, NATIVE, &ten_steps, concurrency, end).await?;
        let rate = taken.count() as f64 / begin.elapsed().as_secs_f64();
        let (id, title) = (format!("workflows/native/{concurrency}"), format!("native, {concurrency} at a time"));
        figures.add(format!("{id}/rate"), format!("{title}: executions"), rate, Unit::PerSecond);
        figures.add_latency(&id, &format!("{title}: latency"), &taken);
    }
    let input = json!({"case": "ten_steps"});
    for language in LANGUAGES {
        let package = run.packages.join(format!("{}.zip", language.name));
        create_packaged(&server.client, language.name, language.runtime.id(), &package).await?;
        let seconds = run.pick(6, 3);
        let real = warm_rate(seconds, || async {
            crate::deployment::invoke(&server.client, language.name, &input).await.map(|_| ())
        })
        .await?;
        let stub = Stub::start(run, language.runtime, &unpacked(run, &package)?, &input).await?;
        let bare = warm_rate(seconds, || stub.invoke()).await?;
        stub.stop().await;
        add(&mut figures, &language, &real, &bare);
    }
    server.stop().await?;
    std::fs::remove_dir_all(&data)?;
    figures.note(
        "The stub answers checkpoints out of memory and believes every signature; the process, its interpreter and its \
         SDK are the same. The ratio is that of the medians of an execution.",
    );
    Ok(figures)
}

fn add(figures: &mut Figures, language: &Language, real: &Distribution, bare: &Distribution) {
    let Language { name, title, .. } = language;
    let rate = |taken: &Distribution| 1.0 / taken.percentile(50).as_secs_f64();
    let id = format!("workflows/{name}");
    figures.add(format!("{id}/rate"), format!("{title}, 1 at a time: executions"), rate(real), Unit::PerSecond);
    figures.add_latency(&id, &format!("{title}, 1 at a time: latency"), real);
    figures.add(format!("{id}/stub"), format!("{title} against the stub: executions"), rate(bare), Unit::PerSecond);
    figures.add(
        format!("{id}/ratio"),
        format!("{title}: share of the stub's rate"),
        rate(real) / rate(bare),
        Unit::Plain,
    );
}

/// Does something again and again, and returns how long it took once it was warm.
async fn warm_rate<R: Future<Output = anyhow::Result<()>>>(
    seconds: u64,
    work: impl Fn() -> R,
) -> anyhow::Result<Distribution> {
    for _ in 0..20 {
        work().await?;
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut taken = Vec::new();
    while Instant::now() < end {
        let before = Instant::now();
        work().await?;
        taken.push(before.elapsed());
    }
    Ok(Distribution::of(taken))
}

/// Unpacks a code package.
fn unpacked(run: &Context, package: &Path) -> anyhow::Result<PathBuf> {
    let directory = run.scratch.path().join(package.file_stem().context("a package has a name")?);
    zip::ZipArchive::new(std::fs::File::open(package)?)?.extract(&directory)?;
    Ok(directory)
}
