//! One statement: whom, what, on what, and under which conditions.

use serde_json::{Map, Value};

use crate::arn::Resources;
use crate::condition::Condition;
use crate::decide::{Context, Request};
use crate::document::{Kind, Malformed};
use crate::pattern::Pattern;
use crate::principal::{Meant, Principals};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) effect: Effect,
    principals: Option<Chosen<Principals>>,
    actions: Chosen<Vec<Pattern>>,
    /// Without it a statement is about whatever it is attached to.
    resources: Option<Chosen<Vec<Resources>>>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// An element, or its opposite such as `NotAction`.
#[derive(Clone, Debug, PartialEq)]
enum Chosen<T> {
    These(T),
    AllBut(T),
}

impl Statement {
    /// Reads a statement.
    pub(crate) fn read(value: &Value, kind: Kind, variables: bool) -> Result<(Self, Option<&str>), Malformed> {
        let members = value.as_object().ok_or_else(Malformed::syntax)?;
        const KNOWN: [&str; 9] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        if members.keys().any(|name| !KNOWN.contains(&name.as_str())) {
            return Err(Malformed::syntax());
        }
        let id = match members.get("Sid") {
            None => None,
            Some(id) => Some(id.as_str().ok_or_else(Malformed::syntax)?),
        };
        let effect = match members.get("Effect").map(Value::as_str) {
            Some(Some("Allow")) => Effect::Allow,
            Some(Some("Deny")) => Effect::Deny,
            Some(_) => return Err(Malformed::syntax()),
            None => return Err(Malformed::new("Missing required field Effect")),
        };
        let statement = Self {
            effect,
            principals: principals(members, kind)?,
            actions: actions(members, kind)?,
            resources: resources(members, kind, variables)?,
            conditions: match members.get("Condition") {
                Some(conditions) => Condition::read_all(conditions, variables)?,
                None => Vec::new(),
            },
        };
        Ok((statement, id))
    }

    /// Tells how a statement means the caller of a request, if it is about the request.
    pub(crate) fn applies(&self, request: &Request<'_>) -> Meant {
        let context = request.context;
        let about = self.about_action(request.action, context) && self.about_resource(request.resource, context);
        if !about {
            return Meant::No;
        }
        let meant = match &self.principals {
            None => Meant::Itself,
            Some(Chosen::These(these)) => these.mean(request.caller),
            // That its account is among them does not help a caller.
            Some(Chosen::AllBut(these)) if these.mean(request.caller) <= Meant::AsAccount => Meant::Itself,
            Some(Chosen::AllBut(_)) => Meant::No,
        };
        if meant != Meant::No && self.conditions.iter().all(|condition| condition.holds(context)) {
            meant
        } else {
            Meant::No
        }
    }

    fn about_action(&self, action: &str, context: Context<'_>) -> bool {
        let among = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(action, true, context));
        match &self.actions {
            Chosen::These(patterns) => among(patterns),
            Chosen::AllBut(patterns) => !among(patterns),
        }
    }

    fn about_resource(&self, resource: &str, context: Context<'_>) -> bool {
        let among = |named: &[Resources]| named.iter().any(|resources| resources.matches(resource, context));
        match &self.resources {
            None => true,
            Some(Chosen::These(named)) => among(named),
            Some(Chosen::AllBut(named)) => !among(named),
        }
    }
}

fn principals(members: &Map<String, Value>, kind: Kind) -> Result<Option<Chosen<Principals>>, Malformed> {
    let found = (members.get("Principal"), members.get("NotPrincipal"));
    match (kind, found) {
        (Kind::Identity, (None, None)) => Ok(None),
        (Kind::Identity, _) => Err(Malformed::new("Policy document should not specify a principal.")),
        (Kind::Trust | Kind::Resource, (Some(_), Some(_))) => Err(Malformed::syntax()),
        (Kind::Trust | Kind::Resource, (Some(these), None)) => Ok(Some(Chosen::These(Principals::read(these)?))),
        (Kind::Resource, (None, Some(these))) => Ok(Some(Chosen::AllBut(Principals::read(these)?))),
        (Kind::Trust, (None, Some(_))) => Err(Malformed::new("Has prohibited field NotPrincipal")),
        (Kind::Trust | Kind::Resource, (None, None)) => Err(Malformed::new("Missing required field Principal")),
    }
}

fn actions(members: &Map<String, Value>, kind: Kind) -> Result<Chosen<Vec<Pattern>>, Malformed> {
    let (texts, not) = match (members.get("Action"), members.get("NotAction")) {
        (Some(actions), None) => (texts(actions)?, false),
        (None, Some(actions)) => (texts(actions)?, true),
        (Some(_), Some(_)) => return Err(Malformed::syntax()),
        (None, None) if kind == Kind::Trust => return Err(Malformed::new("Missing required field Action")),
        (None, None) => return Err(Malformed::new("Policy statement must contain actions.")),
    };
    if texts.is_empty() {
        return Err(Malformed::new("Policy statement must contain actions."));
    }
    for text in &texts {
        check_action(text)?;
        let assumes = text.get(..4).is_some_and(|service| service.eq_ignore_ascii_case("sts:"));
        if kind == Kind::Trust && !assumes {
            return Err(Malformed::new("AssumeRole policy may only specify STS AssumeRole actions."));
        }
    }
    let patterns = texts.into_iter().map(|text| Pattern::read(text, false, true)).collect();
    Ok(if not { Chosen::AllBut(patterns) } else { Chosen::These(patterns) })
}

fn check_action(text: &str) -> Result<(), Malformed> {
    if text == "*" {
        return Ok(());
    }
    let Some((vendor, name)) = text.split_once(':') else {
        return Err(Malformed::new("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."));
    };
    if name.contains(':') {
        return Err(Malformed::new("Actions/Condition can contain only one colon."));
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if vendor.is_empty() || !vendor.bytes().all(known) {
        return Err(Malformed(format!("Vendor {vendor} is not valid")));
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"*?".contains(&byte);
    if name.is_empty() || !name.bytes().all(known) {
        return Err(Malformed::syntax());
    }
    Ok(())
}

fn resources(
    members: &Map<String, Value>,
    kind: Kind,
    variables: bool,
) -> Result<Option<Chosen<Vec<Resources>>>, Malformed> {
    let (texts, not) = match (kind, members.get("Resource"), members.get("NotResource")) {
        (Kind::Trust | Kind::Resource, None, None) => return Ok(None),
        (Kind::Trust, Some(_), _) => return Err(Malformed::new("Has prohibited field Resource")),
        (Kind::Trust, None, Some(_)) => return Err(Malformed::new("Has prohibited field NotResource")),
        (Kind::Identity, None, None) => return Err(Malformed::new("Policy statement must contain resources.")),
        (Kind::Identity | Kind::Resource, Some(_), Some(_)) => return Err(Malformed::syntax()),
        (Kind::Identity | Kind::Resource, Some(resources), None) => (texts(resources)?, false),
        (Kind::Identity | Kind::Resource, None, Some(resources)) => (texts(resources)?, true),
    };
    if texts.is_empty() {
        return Err(Malformed::new("Policy statement must contain resources."));
    }
    let mut named = Vec::new();
    for text in texts {
        let read = Resources::read(text, variables);
        named.push(read.ok_or_else(|| Malformed(format!("Resource {text} must be in ARN format or \"*\".")))?);
    }
    Ok(Some(if not { Chosen::AllBut(named) } else { Chosen::These(named) }))
}

/// Reads a text or a list of them.
pub(crate) fn texts(value: &Value) -> Result<Vec<&str>, Malformed> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(values) => values.iter().map(|value| value.as_str().ok_or_else(Malformed::syntax)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(Malformed::syntax()),
    }
}
