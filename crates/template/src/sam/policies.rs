//! `Policies` of a function: managed policies by name or ARN, policy documents, and SAM's policy templates.

pub mod managed;
pub mod template;

use serde_json::Value;

use super::intrinsic::{self, is_intrinsic, is_no_value};
use super::problem::Problem;

/// An entry of `Policies`, its template expanded.
pub enum Policy {
    /// The name or ARN of a managed policy, or an intrinsic function that gives one.
    Managed(Value),
    /// A policy document, or an `Fn::If` of two.
    Document(Value),
    /// None of these.
    Unknown,
}

/// What an entry of `Policies` is. Both values of an `Fn::If` must be of one kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Managed,
    Document,
    Template,
    Unknown,
}

/// Reads `Policies`: one entry, or a list of them.
///
/// # Errors
/// What is wrong with the first entry that is a policy template, or a condition, and wrong.
pub fn read(id: &str, policies: &Value) -> Result<Vec<Policy>, Problem> {
    let entries = match policies {
        Value::Array(entries) => entries.as_slice(),
        entry if intrinsic::is_given(entry) => std::slice::from_ref(entry),
        _ => &[],
    };
    let kinds = entries.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
    let read_entry = |(entry, kind): (&Value, Kind)| {
        Ok(match kind {
            Kind::Managed => Policy::Managed(entry.clone()),
            Kind::Document => Policy::Document(entry.clone()),
            Kind::Template => Policy::Document(expanded(id, entry)?),
            Kind::Unknown => Policy::Unknown,
        })
    };
    entries.iter().zip(kinds).map(read_entry).collect()
}

/// Changes the values of an `Fn::If` that are there, or any other value itself.
pub fn map_branches(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    match intrinsic::condition(value).map(intrinsic::branches) {
        Some(Ok((condition, then, otherwise))) => {
            let change = |value: &Value| if is_no_value(value) { value.clone() } else { change(value) };
            intrinsic::conditional(condition, &change(then), &change(otherwise))
        }
        Some(Err(_)) | None => change(value),
    }
}

fn kind(entry: &Value) -> Result<Kind, Problem> {
    if let Some(argument) = intrinsic::condition(entry) {
        let (_, then, otherwise) =
            intrinsic::branches(argument).map_err(|message| Problem::Structure(message.into()))?;
        let (then_kind, otherwise_kind) = (kind(then)?, kind(otherwise)?);
        return if then_kind == otherwise_kind || is_no_value(otherwise) {
            Ok(then_kind)
        } else if is_no_value(then) {
            Ok(otherwise_kind)
        } else {
            Err(Problem::Structure(
                "Different policy types within the same Fn::If statement is unsupported. \
                 Separate different policy types into different Fn::If statements"
                    .to_owned(),
            ))
        };
    }
    Ok(match entry {
        Value::String(_) => Kind::Managed,
        _ if is_intrinsic(entry) => Kind::Managed,
        Value::Object(members) if members.contains_key("Statement") => Kind::Document,
        Value::Object(members) if members.len() == 1 && members.keys().all(|name| template::exists(name)) => {
            Kind::Template
        }
        _ => Kind::Unknown,
    })
}

/// Puts policy documents in the place of policy templates: of one, or of those in an `Fn::If`.
fn expanded(id: &str, entry: &Value) -> Result<Value, Problem> {
    if is_no_value(entry) {
        return Ok(entry.clone());
    }
    if let Some(Ok((condition, then, otherwise))) = intrinsic::condition(entry).map(intrinsic::branches) {
        return Ok(intrinsic::conditional(condition, &expanded(id, then)?, &expanded(id, otherwise)?));
    }
    let members = entry.as_object().into_iter().flatten();
    let (name, parameters) = members.last().expect("a policy template is an object with one member");
    template::expand(name, parameters).map_err(|message| Problem::resource(id, message))
}
