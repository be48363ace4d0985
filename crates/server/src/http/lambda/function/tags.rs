//! `TagResource`, `UntagResource`, `ListTags`: words that people sort functions by.

use std::collections::BTreeMap;

use everstep_api::reference::FunctionReference;
use everstep_api::tag::TagResource;
use everstep_api::validation::Violations;
use serde_json::json;

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::{TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX, TAGS_MAX};

/// What AWS lets tags consist of, beside letters, digits and spaces.
const TAG_MARKS: &str = "_.:/=+-@";

/// Adds tags to a function, or changes their values.
pub async fn tag(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = resource(services, request)?;
    let given: TagResource = request.json()?;
    let tags = given.tags.ok_or_else(|| Error::missing("tags"))?;
    check(&tags, request.on_behalf)?;
    services
        .functions
        .change(&reference, |function| {
            let mut all = function.tags.clone();
            all.extend(tags.clone());
            check_count(&all)?;
            function.tags = all;
            Ok(())
        })
        .await?;
    Ok(Response::empty(204))
}

/// Removes tags from a function; they need not be there.
pub async fn untag(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = resource(services, request)?;
    let keys: Vec<&str> = request.query_all("tagKeys").collect();
    if keys.is_empty() {
        return Err(Error::missing("tagKeys"));
    }
    services
        .functions
        .change(&reference, |function| {
            function.tags.retain(|key, _| !keys.contains(&key.as_str()));
            Ok(())
        })
        .await?;
    Ok(Response::empty(204))
}

/// Returns the tags of a function.
pub async fn list(services: &Services, request: &Request) -> Result<Response, Error> {
    let found = services.functions.find(&resource(services, request)?).await?;
    Ok(Response::json(200, &json!({"Tags": found.function.tags})))
}

/// Checks tags that somebody gives to a function. Only the server itself may give those that begin with `aws:`.
pub(super) fn check(tags: &BTreeMap<String, String>, reserved_too: bool) -> Result<(), Error> {
    let mut violations = Violations::default();
    let known = |text: &str| {
        text.chars().all(|letter| letter.is_alphanumeric() || letter.is_whitespace() || TAG_MARKS.contains(letter))
    };
    for (key, value) in tags {
        violations.length(key, "tags.key", 1, TAG_KEY_CHARACTERS_MAX);
        violations.length(value, "tags.value", 0, TAG_VALUE_CHARACTERS_MAX);
        for (text, path) in [(key, "tags.key"), (value, "tags.value")] {
            let constraint = "Member must satisfy regular expression pattern: ([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)";
            violations.require(known(text), text, path, constraint);
        }
    }
    violations.finish().map_err(Error::validation)?;
    if let Some(key) = tags.keys().find(|key| is_reserved(key))
        && !reserved_too
    {
        return Err(Error::invalid_parameter(format!(
            "System tags cannot be added/updated by requester: the prefix aws: of {key} is reserved."
        )));
    }
    check_count(tags)
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    match tags.keys().filter(|key| !is_reserved(key)).count() {
        0..=TAGS_MAX => Ok(()),
        count => Err(Error::invalid_parameter(format!(
            "The resource would have {count} tags, at most {TAGS_MAX} are allowed."
        ))),
    }
}

/// Reads whose tags the request is about: a function, by its ARN.
fn resource(services: &Services, request: &Request) -> Result<FunctionReference, Error> {
    let text = request.parameter(0);
    let reference = text.starts_with("arn:").then(|| FunctionReference::parse(text)).flatten();
    let reference = reference.ok_or_else(|| {
        let shown: String = text.chars().take(140).collect();
        Error::validation(format!(
            "1 validation error detected: Value '{shown}' at 'resource' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:[a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:\\d{{12}}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{{17}}|event-source-mapping:[0-9a-fA-F-]{{36}})"
        ))
    })?;
    if reference.qualifier.is_some() {
        return Err(Error::invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    if !reference.is_in(services.functions.place()) {
        return Err(services.functions.missing(&reference));
    }
    Ok(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_tag(key: &str, value: &str, expected: Result<(), &str>) {
        let found =
            check(&BTreeMap::from([(key.to_string(), value.to_string())]), false).map_err(|error| error.message);
        match expected {
            Ok(()) => assert_eq!(found, Ok(()), "{key}"),
            Err(part) => assert!(found.clone().is_err_and(|message| message.contains(part)), "{key}: {found:?}"),
        }
    }

    #[test]
    fn tags_hold_their_limits() {
        check_tag(&"k".repeat(128), &"v".repeat(256), Ok(()));
        check_tag(&"k".repeat(129), "", Err("'tags.key'"));
        check_tag("k", &"v".repeat(257), Err("'tags.value'"));
        check_tag("", "v", Err("'tags.key'"));
        check_tag("Größe 1", "a_b.c:d/e=f+g-h@i", Ok(()));
        check_tag("k;", "v", Err("'tags.key'"));
        check_tag("aws:k", "v", Err("System tags"));
        check_tag("AWS:k", "v", Err("System tags"));
        let system = BTreeMap::from([("aws:cloudformation:stack-name".to_string(), "s".to_string())]);
        assert_eq!(check(&system, true), Ok(()));
        let many = |count: usize| (0..count).map(|number| (number.to_string(), String::new())).collect();
        assert_eq!(check(&many(50), false), Ok(()));
        assert!(check(&many(51), false).unwrap_err().message.contains("51 tags, at most 50"));
    }
}
