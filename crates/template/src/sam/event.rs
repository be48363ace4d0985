//! `Events` of a function: what else invokes it.
//!
//! Nothing of this is served, and nothing of it is lost: rules, schedules and mappings become the resources that AWS
//! makes of them, and an event of any other type becomes a resource whose type says that it is not served.

mod mapping;
mod rule;
mod schedule;

use serde_json::{Map, Value};

use super::function::Target;
use super::intrinsic::is_given;
use super::problem::Problem;
use super::property::{self, Property};
use super::resource::Source;
use super::{Context, Made};

pub use super::function::role::Role;

/// A type of event.
#[derive(Clone, Copy)]
enum Kind {
    Rule(rule::Kind),
    Schedule,
    Mapping(mapping::Kind),
    /// Another one that AWS has.
    Other(&'static str),
}

/// The other types that AWS has. Source: `aws-sam-translator`, `eventsources`.
const OTHERS: [&str; 12] = [
    "AlexaSkill",
    "Api",
    "CloudWatchLogs",
    "Cognito",
    "DocumentDB",
    "HttpApi",
    "IoTRule",
    "MQ",
    "MSK",
    "S3",
    "SNS",
    "SelfManagedKafka",
];

/// An event of a function.
pub struct Event<'a> {
    /// The function.
    pub function: &'a Source,
    /// The event's name.
    pub name: &'a str,
    /// The event's logical id: the function's, and the name.
    pub id: String,
    properties: Map<String, Value>,
}

impl Event<'_> {
    /// Returns a property, if it is there.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties.get(name)
    }

    /// Returns a property, if it is there and says something.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| is_given(value))
    }

    /// Makes a problem of this event.
    pub fn problem(&self, message: impl std::fmt::Display) -> Problem {
        Problem::event(&self.function.id, self.name, message)
    }

    /// Makes a problem of this event, which AWS names by its logical id in some places.
    pub fn problem_by_id(&self, message: impl std::fmt::Display) -> Problem {
        Problem::event(&self.function.id, &self.id, message)
    }

    fn read<'a>(function: &'a Source, name: &'a str, event: &Value, known: &[Property]) -> Result<Event<'a>, Problem> {
        let id = function.id.clone() + name;
        let properties = event["Properties"].as_object().cloned().unwrap_or_default();
        let wrong = |message: String| Problem::resource(&id, message);
        if let Some(name) = properties.keys().find(|name| known.iter().all(|property| property.name != **name)) {
            let kind = event["Type"].as_str().unwrap_or_default();
            return Err(wrong(format!("property {name} not defined for resource of type {kind}")));
        }
        let properties: Map<_, _> = properties.into_iter().filter(|(_, value)| !value.is_null()).collect();
        property::check(known, |name| properties.get(name).cloned()).map_err(wrong)?;
        Ok(Event { function, name, id, properties })
    }
}

/// Checks that AWS has the types of a function's events.
///
/// # Errors
/// The first event that has no type, or one that AWS does not have.
pub fn check_types(function: &Source) -> Result<(), Problem> {
    for (name, event) in all(function) {
        if kind(event).is_none() {
            let kind = match &event["Type"] {
                Value::Null => "None".to_owned(),
                Value::String(kind) => kind.clone(),
                other => other.to_string(),
            };
            let message = format!("Resource dict has missing or invalid value for key Type. Event Type is: {kind}.");
            return Err(Problem::event(&function.id, name, message));
        }
        if event.get("Properties").is_some_and(|properties| !properties.is_object()) {
            let id = function.id.clone() + name;
            return Err(Problem::resource(&id, "Properties of a resource must be an object."));
        }
    }
    Ok(())
}

/// Makes resources of a function's events.
///
/// # Errors
/// The first event that is wrong.
pub fn add(
    context: &Context,
    function: &Source,
    target: &Target,
    role: &mut Role,
    made: &mut Made,
) -> Result<(), Problem> {
    for (name, event) in all(function) {
        match kind(event) {
            Some(Kind::Rule(kind)) => {
                let event = Event::read(function, name, event, kind.properties())?;
                rule::add(&event, kind, target, made)?;
            }
            Some(Kind::Schedule) => {
                let event = Event::read(function, name, event, &schedule::PROPERTIES)?;
                schedule::add(&event, target, made)?;
            }
            Some(Kind::Mapping(kind)) => {
                let event = Event::read(function, name, event, &mapping::properties(kind))?;
                mapping::add(context, &event, kind, target, role, made)?;
            }
            Some(Kind::Other(kind)) => made.not_served(function, name, kind, event["Properties"].clone()),
            None => unreachable!("the types were checked"),
        }
    }
    Ok(())
}

fn all(function: &Source) -> impl Iterator<Item = (&String, &Value)> {
    function.get("Events").and_then(Value::as_object).into_iter().flatten()
}

fn kind(event: &Value) -> Option<Kind> {
    Some(match event["Type"].as_str()? {
        "CloudWatchEvent" | "EventBridgeRule" => Kind::Rule(rule::Kind::Pattern),
        "DynamoDB" => Kind::Mapping(mapping::Kind::DynamoDb),
        "Kinesis" => Kind::Mapping(mapping::Kind::Kinesis),
        "SQS" => Kind::Mapping(mapping::Kind::Sqs),
        "Schedule" => Kind::Rule(rule::Kind::Schedule),
        "ScheduleV2" => Kind::Schedule,
        other => Kind::Other(OTHERS.into_iter().find(|known| *known == other)?),
    })
}
