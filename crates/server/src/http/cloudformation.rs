//! The service `cloudformation`: stacks of resources from templates, as AWS CLI, SAM and CDK ask for them.
//!
//! Requests are forms, answers are XML (`http::query`). What stacks are is in `crate::stacks`.

mod cancel_update_stack;
mod continue_update_rollback;
mod create_change_set;
mod create_stack;
mod delete_change_set;
mod delete_stack;
mod describe_change_set;
mod describe_events;
mod describe_stack_events;
mod describe_stack_resource;
mod describe_stack_resources;
mod describe_stacks;
mod execute_change_set;
mod get_stack_policy;
mod get_template;
mod get_template_summary;
mod list_change_sets;
mod list_exports;
mod list_hook_results;
mod list_imports;
mod list_stack_resources;
mod list_stacks;
mod shape;
mod update_stack;
mod update_termination_protection;
mod validate_template;

use std::collections::BTreeMap;

use everstep_api::validation::Violations;
use everstep_template::GivenValue;
use serde::Deserialize;
use serde_json::Value;

use super::authorize::Need;
use super::error::Error;
use super::operation::declare_operations;
use super::query::{self, Api};
use super::request::{Request, Response};
use super::{Services, marker};
use crate::limits::{STACK_NAME_CHARACTERS_MAX, STACK_TAGS_MAX, TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX};
use crate::stacks::document::Settings;
use crate::stacks::prepare::Source;

const API: Api = Api { namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/" };

/// The service that assumes the roles of stacks.
const SERVICE: &str = "cloudformation.amazonaws.com";

/// The member that names the role of a stack.
const ROLE_ARN: &str = "RoleARN";

/// Declares the operations that are served.
macro_rules! operations {
    ($($name:ident $module:ident,)*) => {
        declare_operations! { "CloudFormation", "cloudformation": $($name)* }

        async fn dispatch(services: &Services, operation: Operation, request: &Request) -> Result<Value, Error> {
            match operation {
                $(Operation::$name => Box::pin($module::handle(services, request)).await,)*
            }
        }
    };
}

operations! {
    CancelUpdateStack cancel_update_stack,
    ContinueUpdateRollback continue_update_rollback,
    CreateChangeSet create_change_set,
    CreateStack create_stack,
    DeleteChangeSet delete_change_set,
    DeleteStack delete_stack,
    DescribeChangeSet describe_change_set,
    DescribeEvents describe_events,
    DescribeStackEvents describe_stack_events,
    DescribeStackResource describe_stack_resource,
    DescribeStackResources describe_stack_resources,
    DescribeStacks describe_stacks,
    ExecuteChangeSet execute_change_set,
    GetStackPolicy get_stack_policy,
    GetTemplate get_template,
    GetTemplateSummary get_template_summary,
    ListChangeSets list_change_sets,
    ListExports list_exports,
    ListHookResults list_hook_results,
    ListImports list_imports,
    ListStackResources list_stack_resources,
    ListStacks list_stacks,
    UpdateStack update_stack,
    UpdateTerminationProtection update_termination_protection,
    ValidateTemplate validate_template,
}

impl Operation {
    /// Finds the operation of a name.
    ///
    /// # Errors
    /// If it is none that is served.
    pub fn find(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().copied().find(|operation| operation.name() == name);
        found.ok_or_else(|| Error::not_served(format!("Everstep does not serve {name} of CloudFormation yet.")))
    }

    /// Returns what it takes of its sender: of a stack that is named by its name, whichever one of that name there is.
    pub fn needs(self, services: &Services, request: &Request) -> Vec<Need> {
        let place = services.identities.place();
        let resource = match request.member("StackName") {
            Some(arn) if arn.starts_with("arn:") => arn,
            Some(name) => format!("arn:aws:cloudformation:{}:{}:stack/{name}/*", place.region, place.account),
            None => "*".into(),
        };
        let own = Need::new(self.action(), resource);
        let role =
            request.member(ROLE_ARN).map(|arn| Need::new("iam:PassRole", arn).with("iam:passedtoservice", SERVICE));
        [own].into_iter().chain(role).collect()
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    if let Some(arn) = request.member(ROLE_ARN) {
        let assumable = services.identities.role(&arn).is_some_and(|role| services.identities.trusts(&role, SERVICE));
        if !assumable {
            return Err(Error::validation(format!("Role {arn} is invalid or cannot be assumed")));
        }
    }
    let result = dispatch(services, operation, request).await?;
    Ok(query::answer(API, request, &result))
}

/// A member of `Parameters`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParameterMember {
    parameter_key: Option<String>,
    parameter_value: Option<String>,
    #[serde(default)]
    use_previous_value: bool,
}

/// A member of `Tags`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagMember {
    key: Option<String>,
    value: Option<String>,
}

fn parameters(members: Vec<ParameterMember>) -> BTreeMap<String, GivenValue> {
    let value = |member: ParameterMember| {
        let previous = member.use_previous_value.then_some(GivenValue::Previous);
        let value = previous.unwrap_or_else(|| GivenValue::Value(member.parameter_value.unwrap_or_default()));
        (member.parameter_key.unwrap_or_default(), value)
    };
    members.into_iter().map(value).collect()
}

/// Checks tags that somebody gives to a stack.
fn tags(members: Vec<TagMember>) -> Result<BTreeMap<String, String>, Error> {
    let mut violations = Violations::default();
    let tags: BTreeMap<String, String> =
        members.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect();
    for (key, value) in &tags {
        violations.length(key, "tags.key", 1, TAG_KEY_CHARACTERS_MAX);
        violations.length(value, "tags.value", 0, TAG_VALUE_CHARACTERS_MAX);
        let constraint = "Member must not begin with aws:, which is reserved";
        violations.require(!key.to_ascii_lowercase().starts_with("aws:"), key, "tags.key", constraint);
    }
    let constraint = format!("Member must have length less than or equal to {STACK_TAGS_MAX}");
    violations.require(tags.len() <= STACK_TAGS_MAX, format!("{} tags", tags.len()), "tags", constraint);
    violations.finish().map_err(Error::validation)?;
    Ok(tags)
}

/// Reads where a template is: exactly one of three.
fn source(body: Option<String>, url: Option<String>, previous: bool) -> Result<Source, Error> {
    match (body, url, previous) {
        (Some(body), None, false) => Ok(Source::Body(body)),
        (None, Some(url), false) => Ok(Source::Url(url)),
        (None, None, true) => Ok(Source::Previous),
        (None, None, false) => Err(Error::validation("Either Template URL or Template Body must be specified.")),
        (Some(_), _, _) | (None, Some(_), true) => {
            Err(Error::validation("Only one of TemplateBody, TemplateURL and UsePreviousTemplate may be specified."))
        }
    }
}

/// Checks the name of a stack that is to be made.
fn check_name(name: &str, path: &str) -> Result<(), Error> {
    let mut violations = Violations::default();
    let known = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let named = name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(known);
    let pattern = "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*";
    violations.require(named, name, path, pattern);
    violations.length(name, path, 1, STACK_NAME_CHARACTERS_MAX);
    violations.finish().map_err(Error::validation)
}

fn name_of(name: Option<String>) -> Result<String, Error> {
    name.filter(|name| !name.is_empty()).ok_or_else(|| Error::missing("stackName"))
}

/// What those who make or change a stack say beside template and parameters.
fn settings(
    tags: BTreeMap<String, String>,
    capabilities: Vec<String>,
    role_arn: Option<String>,
    notification_arns: Vec<String>,
) -> Settings {
    Settings { description: None, parameters: Vec::new(), tags, capabilities, role_arn, notification_arns }
}

/// Opens a `NextToken`.
fn after(services: &Services, token: Option<&str>) -> Result<Option<String>, Error> {
    let now = services.engine.clock().now();
    let opened = token.filter(|token| !token.is_empty()).map(|token| marker::open(token, now)).transpose();
    opened
        .map_err(|_| Error::validation("The NextToken is not valid: it is none of this server's, or older than a day."))
}

/// Makes a `NextToken`.
fn next(services: &Services, position: Option<&str>) -> Value {
    let now = services.engine.clock().now();
    position.map(|position| marker::seal(position, now)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_stack(name: &str, expected: Result<(), &str>) {
        let found = check_name(name, "stackName").map_err(|error| error.message);
        match expected {
            Ok(()) => assert_eq!(found, Ok(()), "{name}"),
            Err(part) => assert!(found.clone().is_err_and(|message| message.contains(part)), "{name}: {found:?}"),
        }
    }

    #[test]
    fn names_hold_their_limits() {
        check_stack("A-1", Ok(()));
        check_stack(&"n".repeat(128), Ok(()));
        check_stack(&"n".repeat(129), Err("length less than or equal to 128"));
        check_stack("", Err("'stackName'"));
        check_stack("1a", Err("[a-zA-Z][-a-zA-Z0-9]*"));
        check_stack("a_b", Err("[a-zA-Z][-a-zA-Z0-9]*"));
    }

    #[test]
    fn tags_hold_their_limits() {
        let tag = |key: String, value: String| TagMember { key: Some(key), value: Some(value) };
        let many = |count: usize| (0..count).map(|number| tag(number.to_string(), String::new())).collect();
        assert_eq!(tags(many(50)).unwrap().len(), 50);
        assert!(tags(many(51)).unwrap_err().message.contains("51 tags"));
        assert!(tags(vec![tag("k".repeat(128), "v".repeat(256))]).is_ok());
        assert!(tags(vec![tag("k".repeat(129), String::new())]).unwrap_err().message.contains("'tags.key'"));
        assert!(tags(vec![tag("k".into(), "v".repeat(257))]).unwrap_err().message.contains("'tags.value'"));
        assert!(tags(vec![tag("aws:k".into(), String::new())]).unwrap_err().message.contains("reserved"));
    }

    #[test]
    fn a_template_is_in_one_place() {
        assert!(matches!(source(Some("{}".into()), None, false), Ok(Source::Body(_))));
        assert!(matches!(source(None, Some("http://".into()), false), Ok(Source::Url(_))));
        assert!(matches!(source(None, None, true), Ok(Source::Previous)));
        assert!(source(None, None, false).unwrap_err().message.contains("must be specified"));
        assert!(source(Some("{}".into()), None, true).unwrap_err().message.contains("Only one"));
    }
}
