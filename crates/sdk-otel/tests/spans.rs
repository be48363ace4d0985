//! What traces of executions are like, beside what AWS's requirements ask for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep::plugin::{InvocationInfo, Plugin, PluginFactory};
use everstep::testing::{Attempt, Run, Test, test};
use everstep::{Context, Error, Function, Result, Retry, branch};
use everstep_otel::{Otel, Sampling, View};
use opentelemetry::trace::{Status, Tracer, TracerProvider};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

const HOUR: Duration = Duration::from_secs(3600);

/// Keeps what it is given.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<Vec<SpanData>>>>);

impl Kept {
    fn spans(&self) -> Vec<SpanData> {
        self.0.lock().unwrap().concat()
    }

    /// Returns the only span of that name.
    fn span(&self, name: &str) -> SpanData {
        let mut named: Vec<SpanData> = self.spans().into_iter().filter(|span| span.name == name).collect();
        assert_eq!(named.len(), 1, "spans `{name}` of {:?}", self.names());
        named.remove(0)
    }

    fn names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name.into_owned()).collect()
    }
}

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().push(batch);
        Ok(())
    }
}

/// Gives functions a trace header, and notes what the plugin adds to their logs.
#[derive(Clone)]
struct Told {
    otel: Otel,
    header: Option<&'static str>,
    log_fields: Arc<Mutex<Vec<(String, serde_json::Value)>>>,
}

impl PluginFactory for Told {
    fn create(&self, invocation: &InvocationInfo<'_>) -> Box<dyn Plugin> {
        let mut invocation = invocation.clone();
        invocation.trace_id = invocation.trace_id.or(self.header);
        let plugin = self.otel.create(&invocation);
        *self.log_fields.lock().unwrap() = plugin.log_fields(None);
        plugin
    }
}

fn tracing(view: View, header: Option<&'static str>) -> (Kept, Told) {
    let kept = Kept::default();
    let otel = Otel::new(view, kept.clone(), Resource::builder().build());
    (kept, Told { otel, header, log_fields: Arc::default() })
}

async fn order(id: String, mut ctx: Context) -> Result<String> {
    let charged = ctx.step("charge", async |_| Ok(format!("charged {id}"))).await?;
    ctx.wait("cool off", HOUR).await?;
    Ok(charged)
}

async fn run(test: Test) -> Run {
    let run = test.start("o-1").finish().await;
    assert_eq!(run.status(), "SUCCEEDED");
    run
}

fn parent(span: &SpanData) -> SpanId {
    span.parent_span_id
}

fn id(span: &SpanData) -> SpanId {
    span.span_context.span_id()
}

#[tokio::test]
async fn an_execution_is_one_trace_below_a_root_of_its_own_if_nobody_gave_it_one() {
    for view in [View::Execution, View::Invocation] {
        let (kept, told) = tracing(view, None);
        run(test(Function::new(order).plugin(told))).await;
        let spans = kept.spans();
        let traces: Vec<TraceId> = spans.iter().map(|span| span.span_context.trace_id()).collect();
        // The kit's executions begin with the year 2026.
        assert!(traces.iter().all(|trace| trace.to_string().starts_with("6955b900") && *trace == traces[0]));
        let roots: Vec<&SpanData> = spans.iter().filter(|span| parent(span) == SpanId::INVALID).collect();
        assert_eq!(roots.len(), 2, "each invocation sends it");
        assert_eq!((&roots[0].name[..], roots[0]), ("DurableExecutionRoot", roots[1]));
        assert_eq!(parent(&kept.span("Workflow")), id(roots[0]));
        assert!(!kept.span("Workflow").parent_span_is_remote);
    }
}

#[tokio::test]
async fn a_trace_header_says_which_trace_it_is_and_whether_spans_are_sent() {
    let check = async |header: &'static str, sampling: Sampling, sent: bool| {
        let (kept, mut told) = tracing(View::Execution, Some(header));
        told.otel = told.otel.sampling(sampling);
        let log_fields = Arc::clone(&told.log_fields);
        run(test(Function::new(order).plugin(told))).await;
        let fields = log_fields.lock().unwrap().clone();
        assert_eq!(fields[0], ("traceId".to_owned(), "6955b9000123456789abcdef01234567".into()));
        assert_eq!(fields[2], ("otelTraceSampled".to_owned(), sent.into()));
        assert_eq!(!kept.spans().is_empty(), sent, "{header} {sampling:?}");
        if sent {
            let workflow = kept.span("Workflow");
            assert_eq!(
                (parent(&workflow).to_string().as_str(), workflow.parent_span_is_remote),
                ("00ab00cd00ef0001", true)
            );
        }
    };
    check("Root=1-6955b900-0123456789abcdef01234567;Parent=00ab00cd00ef0001;Sampled=1", Sampling::AsTold, true).await;
    check("Root=1-6955b900-0123456789abcdef01234567;Parent=00ab00cd00ef0001;Sampled=0", Sampling::AsTold, false).await;
    check("Root=1-6955b900-0123456789abcdef01234567;Parent=00ab00cd00ef0001;Sampled=0", Sampling::Always, true).await;
    check("Root=1-6955b900-0123456789abcdef01234567;Parent=00ab00cd00ef0001", Sampling::AsTold, true).await;
}

#[tokio::test]
async fn what_an_invoked_function_does_is_below_the_operation_that_invoked_it() {
    let (kept, told) = tracing(View::Execution, None);
    let shop = async |_: String, mut ctx: Context| {
        let receipt: String = ctx.invoke("billing", &"o-1").name("bill").await?;
        Result::<_, Error>::Ok(receipt)
    };
    let billing = Function::new(order).plugin(told.clone());
    run(test(Function::new(shop).plugin(told)).with_function("billing", billing)).await;
    let spans = kept.spans();
    let workflows: Vec<&SpanData> = spans.iter().filter(|span| span.name == "Workflow").collect();
    assert_eq!(workflows.len(), 2);
    assert_eq!(workflows[0].span_context.trace_id(), workflows[1].span_context.trace_id());
    assert_eq!(parent(workflows[0]), id(&kept.span("bill")));
}

#[tokio::test]
async fn spans_of_libraries_are_below_the_attempt_or_the_handler_that_they_are_made_in() {
    let check = async |view: View, of_handler: &str| {
        let (kept, told) = tracing(view, None);
        let provider = told.otel.tracer_provider();
        let handler = move |_: String, mut ctx: Context| {
            let tracer = provider.tracer("a library");
            async move {
                tracer.in_span("outside", |_| ());
                let body = async |_| {
                    // Another task in between: what is current belongs to the code, not to the thread.
                    tokio::task::yield_now().await;
                    tracer.in_span("inside", |_| ());
                    Ok(())
                };
                ctx.step("work", body).await
            }
        };
        run(test(Function::new(handler).plugin(told))).await;
        let (inside, attempt) = (kept.span("inside"), kept.span("work attempt 1"));
        assert_eq!((parent(&inside), inside.span_context.trace_id()), (id(&attempt), attempt.span_context.trace_id()));
        assert_eq!(parent(&kept.span("outside")), id(&kept.span(of_handler)));
        assert_eq!(kept.0.lock().unwrap().len(), 1, "one request for all");
    };
    check(View::Execution, "Workflow").await;
    check(View::Invocation, "Invocation").await;
}

#[tokio::test]
async fn an_attempt_that_is_made_again_after_a_crash_has_a_span_of_its_own_below_the_same_operation() {
    let (kept, told) = tracing(View::Execution, None);
    run(test(Function::new(order).plugin(told)).crash_after("charge", Attempt::Start)).await;
    let charge = kept.span("charge");
    let attempts: Vec<SpanData> = kept.spans().into_iter().filter(|span| span.name == "charge attempt 1").collect();
    let [first, second] = &attempts[..] else { panic!("{:?}", kept.names()) };
    assert_ne!(id(first), id(second));
    assert_eq!([parent(first), parent(second)], [id(&charge); 2]);
    assert!(charge.start_time <= second.start_time && second.end_time <= charge.end_time);
    assert_eq!(kept.span("Workflow").status, Status::Ok);
}

#[tokio::test]
async fn a_flat_context_is_one_span_though_it_runs_in_each_invocation() {
    let (kept, told) = tracing(View::Execution, None);
    let handler = async |_: String, mut ctx: Context| {
        let body = async |mut inner: Context| Ok(inner.step("work", async |_| Ok(())).await?);
        ctx.child("flat", body).flat().await?;
        ctx.wait("cool off", HOUR).await
    };
    run(test(Function::new(handler).plugin(told))).await;
    assert_eq!(parent(&kept.span("flat")), id(&kept.span("Workflow")));
}

#[tokio::test]
async fn errors_are_a_status_and_an_event() {
    let (kept, told) = tracing(View::Execution, None);
    let handler = async |_: String, mut ctx: Context| {
        let body = async |_| Err::<(), _>(Error::from("out of stock").with_type("Sold"));
        let _ = ctx.step("reserve", body).retry(Retry::fixed(2, HOUR)).await;
        Result::<_, Error>::Ok(())
    };
    run(test(Function::new(handler).plugin(told))).await;
    for name in ["reserve", "reserve attempt 1", "reserve attempt 2"] {
        let span = kept.span(name);
        assert_eq!(span.status, Status::error("out of stock"), "{name}");
        let [event] = &span.events[..] else { panic!("{name} has {} events", span.events.len()) };
        let attributes: Vec<String> =
            event.attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
        assert_eq!(attributes, ["exception.type=Sold", "exception.message=out of stock"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_handler_drops_ends_with_the_invocation() {
    for view in [View::Execution, View::Invocation] {
        let (kept, told) = tracing(view, None);
        let handler = async |_: String, mut ctx: Context| {
            let work = ctx.step("work", async |_| std::future::pending::<Result<()>>().await);
            let limit = ctx.wait("limit", Duration::from_secs(1));
            ctx.race("first", (work, limit)).await?;
            Result::<_, Error>::Ok(())
        };
        run(test(Function::new(handler).plugin(told))).await;
        let (work, attempt) = (kept.span("work"), kept.span("work attempt 1"));
        assert_eq!(parent(&attempt), id(&work));
        assert_eq!([attempt.status, work.status], [Status::Unset, Status::Unset]);
        let truncated = |attribute: &opentelemetry::KeyValue| {
            attribute.key.as_str() == "durable.span.truncated_at_invocation_boundary"
        };
        assert!(attempt.attributes.iter().any(truncated));
    }
}

/// Runs a handler of several invocations, and checks that each of its operations has one span, and that what is above a
/// span is there. The function `answers` takes three hours.
async fn check_whole<F, Fut>(handler: F) -> Kept
where
    F: Fn(String, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let (kept, told) = tracing(View::Execution, None);
    let answers = Function::new(async |_: String, mut ctx: Context| ctx.wait("think", 3 * HOUR).await);
    let test = test(Function::new(handler).plugin(told.clone())).with_function("answers", answers.plugin(told));
    let run = run(test).await;
    assert!(run.invocations() > 1);
    let spans = kept.spans();
    for operation in run.operations() {
        kept.span(operation.name().unwrap());
    }
    for span in spans.iter().filter(|span| parent(span) != SpanId::INVALID) {
        let is_there = spans.iter().any(|above| id(above) == parent(span));
        assert!(is_there, "what is above `{}` is not among {:?}", span.name, kept.names());
    }
    kept
}

#[tokio::test]
async fn what_lost_a_race_in_an_earlier_invocation_has_a_span() {
    let kept = check_whole(async |_, mut ctx: Context| {
        let child = ctx.child("lost", async |mut ctx| {
            ctx.step("inside", async |_| Ok(())).await?;
            Ok(ctx.wait("long", 5 * HOUR).await?)
        });
        let limit = ctx.wait("limit", HOUR);
        ctx.race("first", (limit, child)).await?;
        Ok(())
    });
    let kept = kept.await;
    assert!(kept.span("long").end_time < kept.span("lost").end_time, "what is inside ends first");
    let kept = check_whole(async |_, mut ctx: Context| {
        let step = ctx.step("lost", async |_| Err::<(), _>("not yet".into())).retry(Retry::fixed(2, 5 * HOUR));
        let limit = ctx.wait("limit", HOUR);
        ctx.race("first", (limit, step)).await?;
        Ok(())
    });
    let kept = kept.await;
    assert_eq!(parent(&kept.span("lost attempt 1")), id(&kept.span("lost")));
}

#[tokio::test]
async fn what_lost_a_race_goes_on_until_it_ends_or_the_execution_does() {
    let check = async |pause: Duration, hours: u64, status: Status| {
        let kept = check_whole(move |input: String, mut ctx: Context| async move {
            let invoke = ctx.invoke::<()>("answers", &input).name("lost");
            let limit = ctx.wait("limit", HOUR);
            ctx.race("first", (invoke, limit)).await?;
            Ok(ctx.wait("pause", pause).await?)
        });
        let lost = kept.await.span("lost");
        let took = lost.end_time.duration_since(lost.start_time).unwrap();
        assert_eq!((took.as_secs() / HOUR.as_secs(), &lost.status), (hours, &status), "{pause:?}");
    };
    check(HOUR, 2, Status::Unset).await;
    check(4 * HOUR, 3, Status::Ok).await;
}

#[tokio::test]
async fn what_ended_beside_the_winner_of_a_race_has_a_span() {
    check_whole(async |_, mut ctx: Context| {
        let both = (ctx.wait("won", HOUR), ctx.wait("lost", HOUR));
        ctx.race("first", both).await?;
        Ok(ctx.wait("pause", HOUR).await?)
    })
    .await;
}

#[tokio::test]
async fn what_a_batch_leaves_behind_has_a_span() {
    let check = async |result_bytes: usize, flat: bool| {
        check_whole(move |input: String, mut ctx: Context| async move {
            let slow = branch("slow", async |mut ctx| {
                ctx.step("inside", async |_| Ok(())).await?;
                ctx.invoke::<()>("answers", &input).name("long").await?;
                Ok(String::new())
            });
            let quick = branch("quick", async |mut ctx| {
                ctx.wait("short", HOUR).await?;
                Ok("x".repeat(result_bytes))
            });
            let batch = ctx.parallel("batch", vec![slow, quick]);
            let batch = if flat { batch.flat() } else { batch };
            batch.min_successful(1).await?;
            ctx.wait("pause", HOUR).await?;
            Ok(ctx.wait("longer pause", 3 * HOUR).await?)
        })
        .await;
    };
    // A large result is made anew of the branches on each replay.
    for result_bytes in [1, 300_000] {
        check(result_bytes, false).await;
        check(result_bytes, true).await;
    }
}

#[tokio::test]
async fn what_a_context_left_behind_has_one_span_though_replays_pass_it() {
    let check = async |pause: Duration| {
        check_whole(move |input: String, mut ctx: Context| async move {
            let large = ctx.child("large", async |mut ctx| {
                let invoke = ctx.invoke::<()>("answers", &input).name("dropped");
                let fail = ctx.step("fail", async |_| Err::<(), _>("no".into())).no_retry();
                assert!(tokio::try_join!(invoke, fail).is_err());
                // It is made anew of its operations on each replay.
                Ok("x".repeat(300_000))
            });
            large.await?;
            Ok(ctx.wait("pause", pause).await?)
        })
        .await;
    };
    check(HOUR).await;
    check(4 * HOUR).await;
}

#[tokio::test]
async fn an_execution_does_not_care_whether_there_is_a_collector() {
    // Nothing listens on the port of discards.
    let otel = Otel::to(View::Execution, "http://127.0.0.1:9", Resource::builder().build()).unwrap();
    run(test(Function::new(order).plugin(otel))).await;
}

#[tokio::test(start_paused = true)]
async fn an_execution_waits_for_a_collector_that_does_not_answer_and_goes_on() {
    #[derive(Debug)]
    struct Deaf;
    impl SpanExporter for Deaf {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            std::future::pending().await
        }
    }
    let otel = Otel::new(View::Execution, Deaf, Resource::builder().build());
    let began = tokio::time::Instant::now();
    run(test(Function::new(order).plugin(otel))).await;
    assert!(began.elapsed() >= 2 * Duration::from_secs(10), "two invocations");
    assert!(began.elapsed() < 2 * Duration::from_secs(11), "two invocations");
}
