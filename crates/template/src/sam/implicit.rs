//! The APIs that SAM makes for events that do not name one, so that references to them hold.

use serde_json::{Map, Value, json};

use super::kind_of;

/// An API that is made.
struct Implicit {
    /// Its logical id.
    id: &'static str,
    /// The type of the events that it is made for.
    event: &'static str,
    /// The property that would name another one.
    property: &'static str,
}

/// Both of them. Source: `aws-sam-translator`, `ImplicitApiPlugin`.
const ALL: [Implicit; 2] = [
    Implicit { id: "ServerlessRestApi", event: "Api", property: "RestApiId" },
    Implicit { id: "ServerlessHttpApi", event: "HttpApi", property: "ApiId" },
];

/// Adds those that the template's functions and state machines need.
pub fn add(template: &mut Map<String, Value>) {
    let Some(resources) = template.get_mut("Resources").and_then(Value::as_object_mut) else { return };
    for implicit in ALL {
        let users: Vec<_> = resources.values().filter(|resource| implicit.is_needed_by(resource)).collect();
        let Some(first) = users.first() else { continue };
        let condition = first["Condition"].clone();
        let shared = users.iter().all(|user| user["Condition"] == condition);
        let mut api = json!({ "Type": format!("{}{}", super::PREFIX, implicit.event), "Properties": {} });
        if implicit.event == "Api" {
            api["Properties"] = json!({ "StageName": "Prod" });
        }
        if shared && !condition.is_null() {
            api["Condition"] = condition;
        }
        resources.entry(implicit.id).or_insert(api);
    }
}

impl Implicit {
    fn is_needed_by(&self, resource: &Value) -> bool {
        let events = resource["Properties"]["Events"].as_object().into_iter().flat_map(Map::values);
        let mut events =
            events.filter(|event| event["Type"] == self.event && event["Properties"].get(self.property).is_none());
        matches!(kind_of(resource), super::function::KIND | "AWS::Serverless::StateMachine") && events.next().is_some()
    }
}
