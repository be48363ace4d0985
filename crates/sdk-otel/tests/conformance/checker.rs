//! What AWS's requirements say of a trace, checked. The assertions are AWS's; `$`-words and their meaning too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::placeholders::matches_one;
use crate::trace::{Span, SpanKey};

const ARN: &str = "durable.execution.arn";

/// Returns what is wrong with the spans of an execution and of those that it started.
pub fn check(spans: &[Span], assertions: &Value, execution_arn: &str) -> Vec<String> {
    let mut checker = Checker { spans, errors: Vec::new() };
    checker.counts(assertions);
    if assertions["require_unique_root_per_trace"] == true {
        checker.one_root_per_trace();
    }
    if assertions["require_single_trace_per_execution"] == true {
        checker.one_trace_per_execution();
    }
    checker.parented(&assertions["require_parented_spans"]);
    checker.times();
    checker.correlation(assertions, execution_arn);
    checker.spans(assertions);
    checker.errors
}

struct Checker<'a> {
    spans: &'a [Span],
    errors: Vec<String>,
}

impl<'a> Checker<'a> {
    fn error(&mut self, error: impl Into<String>) {
        self.errors.push(error.into());
    }

    fn counts(&mut self, assertions: &Value) {
        let least = |key: &str| assertions[key].as_u64().unwrap_or(1);
        let (spans, spans_min) = (self.spans.len() as u64, least("minimum_spans"));
        if spans < spans_min {
            self.error(format!("there are {spans} spans, and not {spans_min}"));
        }
        let is_invocation =
            |span: &&Span| span.name == "Invocation" && span.attributes.contains_key("durable.invocation.first");
        let (invocations, invocations_min) =
            (self.spans.iter().filter(is_invocation).count() as u64, least("minimum_invocations"));
        if invocations < invocations_min {
            self.error(format!("there are {invocations} invocations, and not {invocations_min}"));
        }
    }

    fn one_root_per_trace(&mut self) {
        let mut roots: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for span in self.spans.iter().filter(|span| span.parent_span_id.is_none()) {
            roots.entry(&span.trace_id).or_default().insert(&span.span_id);
        }
        for (trace, roots) in roots.into_iter().filter(|(_, roots)| roots.len() > 1) {
            self.error(format!("trace {trace} has several roots: {roots:?}"));
        }
    }

    fn one_trace_per_execution(&mut self) {
        let mut traces: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for span in self.spans {
            if let Some(arn) = span.attribute(ARN) {
                traces.entry(arn).or_default().insert(&span.trace_id);
            }
        }
        for (arn, traces) in traces.into_iter().filter(|(_, traces)| traces.len() > 1) {
            self.error(format!("execution {arn} is in several traces: {traces:?}"));
        }
    }

    fn parented(&mut self, selectors: &Value) {
        for selector in list(selectors) {
            for span in self.spans.iter().filter(|span| matches(&selector, &span.properties)) {
                if !span.parent_span_id.as_deref().is_some_and(is_span_id) {
                    self.error(format!("{} has no parent", span.label()));
                }
            }
        }
    }

    fn times(&mut self) {
        for span in self.spans.iter().filter(|span| span.start > span.end) {
            self.error(format!("{} ends before it starts", span.label()));
        }
    }

    fn correlation(&mut self, assertions: &Value, execution_arn: &str) {
        if assertions["require_execution_correlation"] == false {
            return;
        }
        let allowed: Vec<Value> = match &assertions["allowed_execution_arns"] {
            Value::Null => vec![execution_arn.into()],
            allowed => list(allowed),
        };
        let arns: BTreeSet<&str> = self.spans.iter().filter_map(|span| span.attribute(ARN)).collect();
        if !arns.contains(execution_arn) {
            self.error("no span names the execution");
        }
        for arn in arns.into_iter().filter(|arn| !allowed.contains(&Value::from(*arn))) {
            self.error(format!("spans name execution {arn}"));
        }
    }

    fn spans(&mut self, assertions: &Value) {
        let mut used = BTreeSet::new();
        for (index, assertion) in list(&assertions["span_assertions"]).iter().enumerate() {
            let path = format!("span {index} `{}`", assertion["select"]["name"].as_str().unwrap_or_default());
            let selected = |(index, span): &(usize, &Span)| {
                !used.contains(index) && matches(&assertion["select"], &span.properties)
            };
            let mut found: Vec<(usize, &Span)> = self.spans.iter().enumerate().filter(selected).collect();
            let counts: Vec<u64> = match &assertion["count"] {
                Value::Null => vec![1],
                Value::Object(any) => list(&any["$any_of"]).iter().filter_map(Value::as_u64).collect(),
                count => vec![count.as_u64().expect("a count")],
            };
            if !counts.contains(&(found.len() as u64)) {
                self.error(format!("{path}: {} are there, and not {counts:?}", found.len()));
                continue;
            }
            found.sort_by_key(|(_, span)| span.order());
            let by_occurrence = list(&assertion["expect_by_occurrence"]);
            for (occurrence, (index, span)) in found.into_iter().enumerate() {
                used.insert(index);
                let mut expected = assertion["expect"].as_object().expect("expectations").clone();
                if let Some(Value::Object(more)) = by_occurrence.get(occurrence) {
                    expected.extend(more.clone());
                }
                self.span(span, expected, assertions, &path);
            }
        }
        if assertions["require_all_spans"] == true {
            let scopes = list(&assertions["span_assertion_scope"]);
            let counts = |span: &Span| scopes.is_empty() || scopes.iter().any(|scope| matches(scope, &span.properties));
            for (_, span) in self.spans.iter().enumerate().filter(|(index, span)| !used.contains(index) && counts(span))
            {
                self.error(format!("nothing is said of {} with {:?}", span.label(), span.attributes));
            }
        }
    }

    fn span(&mut self, span: &'a Span, mut expected: Map<String, Value>, assertions: &Value, path: &str) {
        if let Some(parent) = expected.remove("parent") {
            self.parent(span, &parent, path);
        }
        if let Some(links) = expected.remove("links") {
            self.links(span, &list(&links), path);
        }
        for relation in ["before", "after", "inside"] {
            if let Some(other) = expected.remove(relation) {
                self.relation(span, relation, &other, path);
            }
        }
        let expected_keys = expected.get("attributes").cloned().unwrap_or_default();
        for prefix in list(&assertions["exact_attribute_prefixes"]).iter().filter_map(Value::as_str) {
            let starts = |key: &&String| key.starts_with(prefix);
            let wanted: BTreeSet<&String> =
                expected_keys.as_object().into_iter().flatten().map(|(key, _)| key).filter(starts).collect();
            let there: BTreeSet<&String> = span.attributes.keys().filter(starts).collect();
            if wanted != there {
                self.error(format!("{path}: the attributes are {there:?}, and not {wanted:?}"));
            }
        }
        for (key, expected) in expected {
            if !matches(&expected, &span.properties[&key]) {
                self.error(format!("{path}: {key} is {}, and not {expected}", span.properties[&key]));
            }
        }
    }

    fn parent(&mut self, span: &Span, expected: &Value, path: &str) {
        let (flags, expected) = without_flags(expected);
        let Some(id) = span.parent_span_id.as_deref().filter(|id| is_span_id(id)) else {
            return self.error(format!("{path}: it has no parent"));
        };
        let parents: Vec<&Span> = self.with_id(&(span.trace_id.clone(), id.to_owned()));
        if parents.is_empty() {
            if !flags.contains("$allow_unresolved") {
                self.error(format!("{path}: its parent {id} is not there"));
            }
            return;
        }
        let fits = |parent: &&&Span| {
            matches(&expected, &parent.properties)
                && !self.descends(parent, span)
                && !(flags.contains("$reject_sdk_span") && is_of_sdk(parent))
        };
        let Some(fitting) = parents.iter().find(fits) else {
            let found: Vec<&Value> = parents.iter().map(|parent| &parent.properties).collect();
            return self.error(format!("{path}: its parent is {found:?}, and not {expected} with {flags:?}"));
        };
        if !flags.contains("$allow_outside") && (span.start < fitting.start || span.end > fitting.end) {
            let times = [fitting.start, span.start, span.end, fitting.end];
            self.error(format!("{path}: it is not within its parent {}: {times:?}", fitting.label()));
        }
    }

    /// Tells whether a span is below another one, or that one itself.
    fn descends(&self, span: &Span, above: &Span) -> bool {
        let (mut pending, mut seen) = (vec![span], BTreeSet::new());
        while let Some(span) = pending.pop() {
            if span.key() == above.key() {
                return true;
            }
            if let (true, Some(parent)) = (seen.insert(span.key()), &span.parent_span_id) {
                pending.extend(self.with_id(&(span.trace_id.clone(), parent.clone())));
            }
        }
        false
    }

    fn links(&mut self, span: &Span, expected: &[Value], path: &str) {
        if expected.len() != span.links.len() {
            return self.error(format!("{path}: it has {} links, and not {expected:?}", span.links.len()));
        }
        for (expected, link) in expected.iter().zip(&span.links) {
            let mut expected = expected.as_object().expect("a span").clone();
            let occurrence = expected.remove("$occurrence");
            let count = expected.remove("count").map_or(1, |count| count.as_u64().expect("a count"));
            let expected = Value::Object(expected);
            let fitting =
                self.with_id(link).into_iter().filter(|linked| matches(&expected, &linked.properties)).count();
            if fitting as u64 != count {
                self.error(format!("{path}: {fitting} spans at link {link:?} are {expected}, and not {count}"));
                continue;
            }
            if let Some(occurrence) = occurrence {
                let alike = self.spans.iter().filter(|span| matches(&expected, &span.properties));
                let alike: BTreeMap<SpanKey, &Span> = alike.map(|span| (span.key(), span)).collect();
                let mut alike: Vec<&Span> = alike.into_values().collect();
                alike.sort_by_key(|span| span.order());
                let place = alike.iter().position(|span| span.key() == *link).map(|place| place + 1);
                if place != occurrence.as_u64().and_then(|occurrence| usize::try_from(occurrence).ok()) {
                    self.error(format!("{path}: the link is to {place:?} of {expected}, and not to {occurrence}"));
                }
            }
        }
    }

    fn relation(&mut self, span: &Span, relation: &str, expected: &Value, path: &str) {
        let (flags, expected) = without_flags(expected);
        let is_other = |other: &&Span| {
            !std::ptr::eq(*other, span)
                && (!flags.contains("$linked") || span.links.contains(&other.key()))
                && matches(&expected, &other.properties)
        };
        let others: Vec<&Span> = self.spans.iter().filter(is_other).collect();
        let [other] = others[..] else {
            return self.error(format!("{path}: {} spans are {expected}, which it is {relation}", others.len()));
        };
        let holds = match relation {
            "before" => span.end <= other.start,
            "after" => other.end <= span.start,
            _ => other.start <= span.start && span.end <= other.end,
        };
        if !holds {
            let times = [span.start, span.end, other.start, other.end];
            self.error(format!("{path}: it is not {relation} {}: {times:?}", other.label()));
        }
    }

    fn with_id(&self, key: &SpanKey) -> Vec<&'a Span> {
        self.spans.iter().filter(|span| span.key() == *key).collect()
    }
}

/// Tells whether a value has what is expected, and perhaps more.
fn matches(expected: &Value, actual: &Value) -> bool {
    match expected {
        Value::Object(members) if members.contains_key("$any_of") => {
            list(&members["$any_of"]).iter().any(|one| matches(one, actual))
        }
        Value::Object(members) => {
            members.iter().all(|(key, value)| actual.get(key).is_some_and(|actual| matches(value, actual)))
        }
        Value::Array(items) => {
            let others = actual.as_array().map(Vec::as_slice).unwrap_or_default();
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| matches(item, other))
        }
        one => matches_one(one, actual),
    }
}

/// Splits off the words that begin with `$`; all of them are true where they are.
fn without_flags(expected: &Value) -> (BTreeSet<String>, Value) {
    let members = expected.as_object().expect("a span").clone();
    let (flags, rest): (Map<_, _>, Map<_, _>) = members.into_iter().partition(|(key, _)| key.starts_with('$'));
    assert!(flags.values().all(|value| *value == true), "{flags:?}");
    (flags.into_iter().map(|(key, _)| key).collect(), rest.into())
}

/// Tells whether a span is one that an SDK for durable functions makes.
fn is_of_sdk(span: &Span) -> bool {
    let has = |prefix: &str| span.attributes.keys().any(|key| key.starts_with(prefix));
    let names_execution = span.attributes.contains_key(ARN);
    match span.name.as_str() {
        "Workflow" | "Invocation" if names_execution => true,
        _ => has("durable.operation.") || has("durable.attempt."),
    }
}

fn is_span_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id.bytes().any(|byte| byte != b'0')
}

/// Returns what is one thing or a list of them as a list.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

#[test]
fn what_is_not_as_it_has_to_be_is_found() {
    let assertions = serde_json::json!({
        "minimum_spans": 2,
        "require_unique_root_per_trace": true,
        "require_single_trace_per_execution": true,
        "require_parented_spans": [{"name": "Invocation"}],
        "require_all_spans": true,
        "exact_attribute_prefixes": ["durable."],
        "span_assertions": [{
            "select": {"name": "work"},
            "expect": {
                "status": "OK",
                "attributes": {ARN: "arn", "durable.operation.id": "a"},
                "parent": {"name": "Invocation"},
                "links": [{"$occurrence": 1, "name": "Invocation"}],
                "inside": {"$linked": true, "name": "Invocation"},
            },
        }, {
            "select": {"name": "Invocation"},
            "expect": {"attributes": {ARN: "arn", "durable.invocation.first": true}, "links": []},
        }],
    });
    let span = |name: &str, id: char, parent: char, times: [u64; 2], attribute: (&str, Value), links: &[char]| {
        let key = |id: char| ("t".to_owned(), id.to_string().repeat(16));
        let attributes = BTreeMap::from([(ARN.to_owned(), "arn".into()), (attribute.0.to_owned(), attribute.1)]);
        let mut span = Span {
            trace_id: key(id).0,
            span_id: key(id).1,
            parent_span_id: Some(key(parent).1),
            name: name.to_owned(),
            start: times[0],
            end: times[1],
            attributes,
            links: links.iter().map(|link| key(*link)).collect(),
            properties: Value::Null,
        };
        renew(&mut span);
        span
    };
    fn renew(span: &mut Span) {
        let attributes: Map<_, _> = span.attributes.clone().into_iter().collect();
        span.properties = serde_json::json!({"name": span.name, "status": "OK", "attributes": attributes});
    }
    let good = || {
        vec![
            span("Invocation", '1', 'f', [1, 4], ("durable.invocation.first", true.into()), &[]),
            span("work", '2', '1', [2, 3], ("durable.operation.id", "a".into()), &['1']),
        ]
    };
    assert_eq!(check(&good(), &assertions, "arn"), Vec::<String>::new());
    let found = |spoil: &dyn Fn(&mut Vec<Span>), expected: &str| {
        let mut spans = good();
        spoil(&mut spans);
        spans.iter_mut().for_each(|span| {
            let status = span.properties["status"].clone();
            renew(span);
            span.properties["status"] = status;
        });
        let errors = check(&spans, &assertions, "arn");
        assert!(errors.iter().any(|error| error.contains(expected)), "no `{expected}` in {errors:?}");
    };
    found(&|spans| drop(spans.pop()), "there are 1 spans");
    found(&|spans| spans[1].name = "rest".into(), "0 are there");
    found(&|spans| spans.push(spans[1].clone()), "2 are there");
    found(&|spans| spans[1].properties["status"] = "ERROR".into(), "status is");
    found(&|spans| drop(spans[1].attributes.insert("durable.operation.id".into(), "b".into())), "attributes is");
    found(&|spans| drop(spans[1].attributes.insert("durable.more".into(), 1.into())), "the attributes are");
    found(&|spans| drop(spans[1].attributes.insert(ARN.into(), "another".into())), "spans name execution another");
    found(&|spans| spans[1].parent_span_id = Some("3".repeat(16)), "is not there");
    found(&|spans| spans[1].parent_span_id = None, "it has no parent");
    found(&|spans| spans[1].parent_span_id = Some("2".repeat(16)), "its parent is");
    found(&|spans| spans[0].parent_span_id = Some("2".repeat(16)), "its parent is");
    found(&|spans| spans[0].parent_span_id = None, "has no parent");
    found(&|spans| spans[1].end = 5, "it is not within its parent");
    found(&|spans| spans[1].end = 5, "it is not inside");
    found(&|spans| spans[1].end = 1, "ends before it starts");
    found(&|spans| spans[1].links.clear(), "it has 0 links");
    found(&|spans| spans[1].links = vec![spans[1].key()], "0 spans at link");
    found(&|spans| spans[1].trace_id = "u".into(), "is in several traces");
    found(
        &|spans| {
            let mut more = spans[1].clone();
            (more.name, more.span_id) = ("more".into(), "3".repeat(16));
            spans.push(more);
        },
        "nothing is said of `more`",
    );
    found(
        &|spans| {
            let mut earlier = spans[0].clone();
            (earlier.start, earlier.span_id) = (0, "3".repeat(16));
            spans.push(earlier);
        },
        "the link is to Some(2)",
    );
    found(&|spans| spans.iter_mut().for_each(|span| span.parent_span_id = None), "has several roots");
}
