//! Resource types: that their data is in order, and what becomes of properties.

use everstep_template::{Difference, ResourceType};
use serde_json::{Map, Value, json};

use crate::support::{Existing, bind};

#[test]
fn every_type_has_its_data_and_nothing_else_has() {
    let data: Map<String, Value> = serde_json::from_str(include_str!("../../src/types.json")).unwrap();
    let names: Vec<&str> = ResourceType::ALL.iter().map(|known| known.name()).collect();
    assert_eq!(names, data.keys().map(String::as_str).collect::<Vec<_>>(), "sorted, as in the enum");
    for (name, entry) in &data {
        let (properties, entry) = (&entry["properties"], entry.as_object().unwrap());
        check_shape(properties, name);
        let has = |property: &Value| {
            let property = property.as_str().unwrap();
            properties.get(property).or_else(|| properties.get(format!("{property}!"))).is_some()
        };
        for list in ["replaced_by", "replaced_by_presence"] {
            assert!(entry.get(list).into_iter().flat_map(|names| names.as_array().unwrap()).all(has), "{name} {list}");
        }
        let known = ResourceType::find(name).unwrap();
        assert_eq!(known.name(), name);
        // Reading the data is what fails if something in it is unknown.
        assert_eq!(known.difference(&Map::new(), &Map::new()), Difference::None);
    }
}

fn check_shape(shape: &Value, path: &str) {
    match shape {
        Value::String(name) => {
            assert!(["string", "integer", "number", "boolean", "json"].contains(&name.as_str()), "{path} {name}")
        }
        Value::Array(items) => {
            assert_eq!(items.len(), 1, "{path}");
            check_shape(&items[0], path);
        }
        Value::Object(members) => {
            assert!(!members.contains_key("*") || members.len() == 1, "{path}");
            members.iter().for_each(|(name, member)| check_shape(member, &format!("{path}/{name}")));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => panic!("{path} {shape}"),
    }
}

#[test]
fn properties_become_what_their_type_wants() {
    let text = "
Resources:
  Queue: {Type: 'AWS::SQS::Queue'}
  F:
    Type: AWS::Lambda::Function
    Properties:
      Code: {ZipFile: x}
      Role: !GetAtt Queue.Arn
      Timeout: '30'
      MemorySize: 128.0
      Description: 7
      Environment: {Variables: {A: 1, B: true, C: !Ref Queue}}
      FileSystemConfigs: []
      SnapStart: {ApplyOn: None}
";
    let bound = bind(text, &[]).unwrap();
    let expected = json!({
        "Code": { "ZipFile": "x" }, "Role": "queue-id/Arn", "Timeout": 30, "MemorySize": 128, "Description": "7",
        "Environment": { "Variables": { "A": "1", "B": "true", "C": "queue-id" } }, "FileSystemConfigs": [],
        "SnapStart": { "ApplyOn": "None" },
    });
    assert_eq!(Value::Object(bound.properties("F", &Existing).unwrap().unwrap()), expected);
    assert!(bound.properties("G", &Existing).is_none());
}

#[test]
fn a_type_that_turns_out_wrong_fails_the_resource() {
    let text = "
Resources:
  Queue: {Type: 'AWS::SQS::Queue'}
  Logs: {Type: 'AWS::Logs::LogGroup', Properties: {RetentionInDays: !GetAtt Queue.Arn}}
";
    let refused = bind(text, &[]).unwrap().properties("Logs", &Existing).unwrap().unwrap_err().to_string();
    assert_eq!(
        refused,
        "Properties validation failed for resource Logs with message:\n#/RetentionInDays: expected type: Integer, found: String"
    );
}

#[test]
fn a_difference_asks_for_an_update_or_a_replacement() {
    let check = |before: Value, after: Value, expected: Difference| {
        let (Value::Object(before), Value::Object(after)) = (&before, &after) else { unreachable!("both are objects") };
        assert_eq!(ResourceType::LambdaFunction.difference(before, after), expected, "{before:?} {after:?}");
    };
    check(json!({ "Timeout": 3 }), json!({ "Timeout": 3 }), Difference::None);
    check(json!({ "Timeout": 3 }), json!({}), Difference::Update);
    check(json!({ "Timeout": 3, "FunctionName": "a" }), json!({ "FunctionName": "b" }), Difference::Replace);
    check(json!({}), json!({ "DurableConfig": {} }), Difference::Replace);
    check(json!({ "DurableConfig": { "a": 1 } }), json!({ "DurableConfig": {} }), Difference::Update);
}
