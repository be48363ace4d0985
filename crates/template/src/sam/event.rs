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
    kind: Kind,
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
}

/// Reads the events of a function.
///
/// # Errors
/// The first event of a type that AWS does not have, or with a property that is wrong.
pub fn read(function: &Source) -> Result<Vec<Event<'_>>, Problem> {
    let events = function.get("Events").and_then(Value::as_object).into_iter().flatten();
    events.map(|(name, event)| read_one(function, name, event)).collect()
}

/// Makes resources of events.
///
/// # Errors
/// The first event whose properties do not go together.
pub fn add(
    context: &Context,
    events: Vec<Event>,
    target: &Target,
    role: &mut Role,
    made: &mut Made,
) -> Result<(), Problem> {
    for event in events {
        match event.kind {
            Kind::Rule(kind) => rule::add(&event, kind, target, made)?,
            Kind::Schedule => schedule::add(&event, target, made)?,
            Kind::Mapping(kind) => mapping::add(context, &event, kind, target, role, made)?,
            Kind::Other(kind) => made.not_served(event.function, event.name, kind, event.properties),
        }
    }
    Ok(())
}

impl Kind {
    fn of(event: &Value) -> Option<Kind> {
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

    /// Returns the properties of such an event, as far as they are looked at.
    fn properties(self) -> Option<Vec<Property>> {
        match self {
            Kind::Rule(kind) => Some(kind.properties().to_vec()),
            Kind::Schedule => Some(schedule::PROPERTIES.to_vec()),
            Kind::Mapping(kind) => Some(mapping::properties(kind)),
            Kind::Other(_) => None,
        }
    }
}

fn read_one<'a>(function: &'a Source, name: &'a str, event: &Value) -> Result<Event<'a>, Problem> {
    let Some(kind) = Kind::of(event) else {
        let given = match &event["Type"] {
            Value::Null => "None".to_owned(),
            Value::String(kind) => kind.clone(),
            other => other.to_string(),
        };
        let message = format!("Resource dict has missing or invalid value for key Type. Event Type is: {given}.");
        return Err(Problem::event(&function.id, name, message));
    };
    let id = function.id.clone() + name;
    let properties = match event.get("Properties") {
        None => Map::new(),
        Some(Value::Object(properties)) => properties.clone(),
        Some(_) => return Err(Problem::resource(&id, "Properties of a resource must be an object.")),
    };
    if let Some(known) = kind.properties() {
        property::check(&known, &properties, event["Type"].as_str().unwrap_or_default())
            .map_err(|message| Problem::resource(&id, message))?;
    }
    let properties = properties.into_iter().filter(|(_, value)| !value.is_null()).collect();
    Ok(Event { function, name, id, kind, properties })
}
