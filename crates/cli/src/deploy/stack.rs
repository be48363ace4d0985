//! Makes a change to a stack: a change set, its execution, and what is told of it meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail};
use everstep_client::{Form, Refused};
use serde_json::{Value, json};

use super::{Project, agreed, items, say, text};
use crate::client::Client;
use crate::output;

const VERSION: &str = "2010-05-15";

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(250);

/// What the server says of a change set that changes nothing. Source: CloudFormation and SAM, as their tools expect it.
const NO_CHANGES: [&str; 2] = ["The submitted information didn't contain changes.", "No updates are to be performed"];

/// The tag by which a stack accepts what is not served.
const ACCEPT_NOT_SERVED: &str = "EverstepAcceptNotServed";

/// What became of a deployment.
pub struct Deployed {
    stack: Value,
    changed: Change,
}

/// Whether a stack was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Made,
    NotNeeded,
    NotWanted,
}

/// Makes of a stack what a template says, which is sent as that member of a request.
pub async fn deploy(
    client: &Client,
    project: &Project,
    (template_member, template): (&str, String),
    accept_not_served: bool,
    asks: bool,
    quiet: bool,
) -> anyhow::Result<Deployed> {
    let stack = Stack { client, name: project.stack_name.clone(), quiet };
    let existing = stack.describe().await?.filter(|stack| text(stack, "StackStatus") != "REVIEW_IN_PROGRESS");
    let change_set = format!("everstep-{}", jiff::Timestamp::now().as_millisecond());
    let kind = if existing.is_some() { "UPDATE" } else { "CREATE" };
    let mut form = form([
        ("StackName", project.stack_name.as_str()),
        ("ChangeSetName", &change_set),
        ("ChangeSetType", kind),
        (template_member, &template),
    ]);
    for (number, capability) in ["IAM", "NAMED_IAM", "AUTO_EXPAND"].iter().enumerate() {
        form.push((format!("Capabilities.member.{}", number + 1), format!("CAPABILITY_{capability}")));
    }
    form.extend(parameters(project, existing.as_ref()));
    if accept_not_served {
        form.push(("Tags.member.1.Key".into(), ACCEPT_NOT_SERVED.into()));
        form.push(("Tags.member.1.Value".into(), "true".into()));
    }
    let made = stack.ask("CreateChangeSet", form).await?;
    let (id, stack_id) = (text(&made, "Id").to_string(), text(&made, "StackId").to_string());
    let review = stack.reviewed(&id).await?;
    if text(&review, "Status") == "FAILED" {
        let reason = text(&review, "StatusReason").to_string();
        stack.drop_change_set(&id, existing.is_none()).await?;
        if let (Some(stack), true) = (existing, NO_CHANGES.iter().any(|text| reason.contains(text))) {
            return Ok(Deployed { stack, changed: Change::NotNeeded });
        }
        bail!("the template is refused: {reason}");
    }
    say(quiet, changes(&review).trim_end());
    if asks && !agreed("Make these changes?")? {
        stack.drop_change_set(&id, existing.is_none()).await?;
        return Ok(Deployed { stack: json!({"StackName": project.stack_name}), changed: Change::NotWanted });
    }
    let mut seen: BTreeSet<String> = stack.events(&stack_id).await?.iter().map(event_id).collect();
    stack.ask("ExecuteChangeSet", self::form([("ChangeSetName", id.as_str())])).await?;
    stack.follow(&stack_id, &mut seen).await?;
    let stack = stack.describe().await?.with_context(|| format!("the stack `{}` is gone", project.stack_name))?;
    Ok(Deployed { stack, changed: Change::Made })
}

/// Deletes a stack. Returns its last status.
pub async fn delete(client: &Client, name: &str, quiet: bool) -> anyhow::Result<String> {
    let stack = Stack { client, name: name.into(), quiet };
    let existing = stack.describe().await?.with_context(|| format!("there is no stack `{name}`"))?;
    let id = text(&existing, "StackId").to_string();
    let mut seen = stack.events(&id).await?.iter().map(event_id).collect();
    stack.ask("DeleteStack", form([("StackName", id.as_str())])).await?;
    stack.follow(&id, &mut seen).await
}

impl Deployed {
    /// Tells whether the stack is as it shall be.
    pub fn succeeded(&self) -> bool {
        self.changed != Change::Made
            || ["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&text(&self.stack, "StackStatus"))
    }

    /// Returns it as JSON.
    pub fn document(&self) -> Value {
        let outputs: serde_json::Map<String, Value> = items(&self.stack["Outputs"])
            .map(|output| (text(output, "OutputKey").to_string(), output["OutputValue"].clone()))
            .collect();
        json!({
            "StackName": self.stack["StackName"],
            "StackStatus": self.stack["StackStatus"],
            "Changed": self.changed == Change::Made,
            "Outputs": outputs,
        })
    }

    /// Returns it for people.
    pub fn text(&self) -> String {
        let name = text(&self.stack, "StackName");
        let head = match self.changed {
            Change::Made => format!("stack `{name}`: {}\n", text(&self.stack, "StackStatus")),
            Change::NotNeeded => format!("stack `{name}` is up to date\n"),
            Change::NotWanted => format!("stack `{name}` stays as it is\n"),
        };
        let rows: Vec<[String; 2]> = items(&self.stack["Outputs"])
            .map(|output| [text(output, "OutputKey").into(), text(output, "OutputValue").into()])
            .collect();
        if rows.is_empty() { head } else { format!("{head}\n{}", output::table(["OUTPUT", "VALUE"], &rows)) }
    }
}

struct Stack<'a> {
    client: &'a Client,
    name: String,
    quiet: bool,
}

impl Stack<'_> {
    async fn ask(&self, action: &str, form: Form) -> anyhow::Result<Value> {
        self.client.query("cloudformation", VERSION, action, &form).await
    }

    /// Returns the stack, if it is there.
    async fn describe(&self) -> anyhow::Result<Option<Value>> {
        match self.ask("DescribeStacks", form([("StackName", self.name.as_str())])).await {
            Ok(answer) => Ok(items(&answer["Stacks"]).next().cloned()),
            Err(error) => match error.downcast_ref::<Refused>() {
                Some(refused) if refused.message.contains("does not exist") => Ok(None),
                Some(_) | None => Err(error),
            },
        }
    }

    /// Waits until it is known what a change set changes.
    async fn reviewed(&self, id: &str) -> anyhow::Result<Value> {
        loop {
            let review = self.ask("DescribeChangeSet", form([("ChangeSetName", id)])).await?;
            if ["CREATE_COMPLETE", "FAILED"].contains(&text(&review, "Status")) {
                return Ok(review);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes a change set back, and with it a stack that was only made for it.
    async fn drop_change_set(&self, id: &str, with_stack: bool) -> anyhow::Result<()> {
        self.ask("DeleteChangeSet", form([("ChangeSetName", id)])).await?;
        if with_stack {
            self.ask("DeleteStack", form([("StackName", self.name.as_str())])).await?;
            // Whoever asks next is not to meet it on its way out.
            while self.describe().await?.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Returns the newest events of a stack, the oldest of them first.
    async fn events(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.ask("DescribeStackEvents", form([("StackName", id)])).await?;
        let mut events: Vec<Value> = items(&answer["StackEvents"]).cloned().collect();
        events.reverse();
        Ok(events)
    }

    /// Tells of events until the stack is at rest. Returns its status then.
    async fn follow(&self, id: &str, seen: &mut BTreeSet<String>) -> anyhow::Result<String> {
        loop {
            for event in self.events(id).await? {
                if !seen.insert(event_id(&event)) {
                    continue;
                }
                say(self.quiet, &line(&event));
                let status = text(&event, "ResourceStatus");
                if text(&event, "PhysicalResourceId") == id && !status.ends_with("IN_PROGRESS") {
                    return Ok(status.into());
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Returns the values of the template's parameters: what is given, else what the stack has.
fn parameters(project: &Project, existing: Option<&Value>) -> Form {
    let former: BTreeSet<&str> = existing
        .map(|stack| items(&stack["Parameters"]).map(|parameter| text(parameter, "ParameterKey")).collect())
        .unwrap_or_default();
    let declared = project.template["Parameters"].as_object();
    let kept = declared.into_iter().flatten().map(|(name, _)| name.as_str());
    let kept = kept.filter(|name| former.contains(name) && !project.parameters.contains_key(*name));
    let given = project.parameters.iter().map(|(name, value)| (name.as_str(), "ParameterValue", value.as_str()));
    let all = given.chain(kept.map(|name| (name, "UsePreviousValue", "true")));
    let members = all.enumerate().flat_map(|(number, (name, member, value))| {
        let of = format!("Parameters.member.{}", number + 1);
        [(format!("{of}.ParameterKey"), name.to_string()), (format!("{of}.{member}"), value.to_string())]
    });
    members.collect()
}

/// Lays out what a change set changes.
fn changes(review: &Value) -> String {
    let rows: Vec<[String; 4]> = items(&review["Changes"])
        .map(|change| {
            let change = &change["ResourceChange"];
            let replaced = match text(change, "Replacement") {
                "True" => "replaced",
                "Conditional" => "perhaps replaced",
                _ => "",
            };
            [
                text(change, "Action").to_string(),
                text(change, "ResourceType").to_string(),
                text(change, "LogicalResourceId").to_string(),
                replaced.to_string(),
            ]
        })
        .collect();
    output::table(["CHANGE", "TYPE", "RESOURCE", ""], &rows)
}

/// Writes an event in a line.
fn line(event: &Value) -> String {
    let time = text(event, "Timestamp").split('T').nth(1).and_then(|time| time.get(..8)).unwrap_or_default();
    let [status, kind, id, reason] =
        ["ResourceStatus", "ResourceType", "LogicalResourceId", "ResourceStatusReason"].map(|name| text(event, name));
    format!("{time}  {status:<20}  {kind:<28}  {id}  {reason}").trim_end().into()
}

fn event_id(event: &Value) -> String {
    text(event, "EventId").into()
}

fn form<const N: usize>(pairs: [(&str, &str); N]) -> Form {
    pairs.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_given_or_stay_as_they_are() {
        let project = Project {
            directory: ".".into(),
            template: json!({"Parameters": {"A": {}, "B": {}, "C": {}}}),
            stack_name: "s".into(),
            parameters: [("A".to_string(), "1".to_string())].into(),
            confirm: false,
        };
        let check = |existing: Option<Value>, expected: &[(&str, &str)]| {
            assert_eq!(parameters(&project, existing.as_ref()), form_of(expected));
        };
        let given = [("Parameters.member.1.ParameterKey", "A"), ("Parameters.member.1.ParameterValue", "1")];
        check(None, &given);
        let former = json!({"Parameters": [{"ParameterKey": "A"}, {"ParameterKey": "B"}, {"ParameterKey": "gone"}]});
        let kept = [("Parameters.member.2.ParameterKey", "B"), ("Parameters.member.2.UsePreviousValue", "true")];
        check(Some(former), &[&given[..], &kept].concat());
        check(Some(json!({"Parameters": ""})), &given);
    }

    fn form_of(pairs: &[(&str, &str)]) -> Form {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn deployment_is_told_in_words() {
        let stack = json!({
            "StackName": "s", "StackStatus": "CREATE_COMPLETE", "Outputs": [{"OutputKey": "K", "OutputValue": "v"}],
        });
        let deployed = Deployed { stack, changed: Change::Made };
        insta::assert_snapshot!(deployed.text(), @r"
        stack `s`: CREATE_COMPLETE

        OUTPUT  VALUE
        K       v
        ");
        assert!(deployed.succeeded());
        let stack = json!({"StackName": "s", "StackStatus": "ROLLBACK_COMPLETE", "Outputs": ""});
        assert!(!Deployed { stack, changed: Change::Made }.succeeded());
    }
}
