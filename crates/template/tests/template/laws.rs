//! What holds for every template.

use std::collections::BTreeSet;

use everstep_template::{Action, Deployed, Plan, Template, document};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{Existing, bind, given, place};

/// Words that mean something in templates, so that what is made up gets deep into the crate.
const WORDS: &[&str] = &[
    "Resources",
    "Type",
    "Properties",
    "Parameters",
    "Conditions",
    "Mappings",
    "Outputs",
    "Rules",
    "Value",
    "Condition",
    "DependsOn",
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::If",
    "Fn::Select",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::Equals",
    "Fn::Not",
    "Fn::Cidr",
    "Fn::Base64",
    "Fn::GetAZs",
    "Fn::ImportValue",
    "A",
    "B",
    "A.B",
    "${A}${B.C}${",
    "AWS::NoValue",
    "AWS::Region",
    "AWS::Lambda::Function",
    "AWS::SQS::Queue",
    "Custom::X",
    "String",
    "Default",
    "Code",
    "0",
    "10.0.0.0/16",
    "",
];

fn any_value() -> impl Strategy<Value = Value> {
    let word = || proptest::sample::select(WORDS).prop_map(str::to_owned);
    let scalar = prop_oneof![
        word().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::Null),
        ".{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 48, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word(), inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A sound template of some resources, each of which needs some of those before it, in one of several ways.
fn any_template() -> impl Strategy<Value = Value> {
    let way = (0_usize..5, any::<prop::sample::Index>());
    let resource = (proptest::collection::vec(way, 0..4), 0_u32..3);
    proptest::collection::vec(resource, 1..12).prop_map(|made| {
        let mut resources = Map::new();
        for (position, (needs, variant)) in made.into_iter().enumerate() {
            let mut resource =
                json!({ "Type": "AWS::SQS::Queue", "Properties": { "DelaySeconds": variant, "RedrivePolicy": [] } });
            let mut depends_on = vec![];
            for (way, needed) in needs {
                let Some(needed) = (position > 0).then(|| format!("R{}", needed.index(position))) else { continue };
                let value = match way {
                    0 => json!({ "Ref": needed }),
                    1 => json!({ "Fn::GetAtt": [needed, "Arn"] }),
                    2 => json!({ "Fn::Sub": format!("${{{needed}}}-${{{needed}.Arn}}") }),
                    3 => json!({ "Fn::If": ["Always", { "Fn::Join": ["-", ["x", { "Ref": needed }]] }, "y"] }),
                    _ => {
                        depends_on.push(needed);
                        continue;
                    }
                };
                resource["Properties"]["RedrivePolicy"].as_array_mut().unwrap().push(value);
            }
            resource["DependsOn"] = json!(depends_on);
            resources.insert(format!("R{position}"), resource);
        }
        json!({ "Conditions": { "Always": { "Fn::Equals": ["a", "a"] } }, "Resources": resources })
    })
}

fn bound(template: &Value) -> everstep_template::Bound {
    bind(&template.to_string(), &[]).unwrap()
}

proptest! {
    #[test]
    fn no_json_panics(resources in any_value(), rest in any_value()) {
        let mut template = json!({
            "Parameters": { "A": { "Type": "String", "Default": "x" } },
            "Conditions": { "A": { "Fn::Equals": [rest.clone(), "x"] } },
            "Resources": { "B": { "Type": "AWS::Lambda::Function", "Properties": { "Code": resources.clone(), "Role": "r" } } },
            "Outputs": { "A": { "Value": rest } },
        });
        for template in [template.clone(), resources.clone(), { template["Resources"] = resources; template }] {
            let Ok(template) = Template::read(&template) else { continue };
            template.summary();
            let Ok(bound) = template.bind(&given(&[]), &place(), &Default::default()) else { continue };
            let _ = bound.plan(&Deployed::default(), |_| true);
            for id in bound.resources().keys() {
                let _ = bound.properties(id, &Existing);
            }
            let _ = bound.outputs(&Existing);
        }
    }

    #[test]
    fn no_text_panics(text in "[\\PC\n]{0,64}", words in proptest::collection::vec(proptest::sample::select(WORDS), 0..8)) {
        let _ = document::parse(&text);
        let _ = document::parse(&words.join(": !"));
        let _ = document::parse(&words.join(":\n "));
    }

    #[test]
    fn a_document_survives_being_written(template in any_template()) {
        prop_assert_eq!(document::parse(&template.to_string()).unwrap(), template.clone());
        prop_assert_eq!(document::parse(&format!("---\n{template:#}")).unwrap(), template);
    }

    #[test]
    fn whatever_is_needed_comes_before_and_goes_after(template in any_template()) {
        let bound = bound(&template);
        let plan = bound.plan(&Deployed::default(), |_| true).unwrap();
        prop_assert_eq!(plan.changes.len(), bound.resources().len());
        let mut done = BTreeSet::new();
        for change in &plan.changes {
            prop_assert!(change.after.iter().all(|before| done.contains(before)));
            prop_assert!(bound.resources()[&change.logical_id].dependencies.iter().all(|needed| change.after.contains(needed)));
            done.insert(change.logical_id.clone());
        }
        for change in &Plan::removal(&bound.deployed()).changes {
            prop_assert!(change.after.iter().all(|gone| !done.contains(gone)));
            done.remove(&change.logical_id);
            let needing = bound.resources().iter().filter(|(_, other)| other.dependencies.contains(&change.logical_id));
            prop_assert!(needing.map(|(id, _)| id).all(|id| !done.contains(id)));
        }
        prop_assert!(done.is_empty());
    }

    #[test]
    fn the_plan_of_what_is_deployed_is_empty(template in any_template()) {
        let bound = bound(&template);
        let deployed: Deployed = serde_json::from_value(serde_json::to_value(bound.deployed()).unwrap()).unwrap();
        prop_assert!(bound.plan(&deployed, |_| true).unwrap().is_empty());
    }

    #[test]
    fn a_plan_touches_what_differs_and_ends_at_what_was_asked_for(before in any_template(), after in any_template()) {
        let (before, after) = (bound(&before).deployed(), bound(&after));
        let plan = after.plan(&before, |_| true).unwrap();
        let after = after.deployed();
        let mut touched = BTreeSet::new();
        for change in &plan.changes {
            let (old, new) = (before.resources.get(&change.logical_id), after.resources.get(&change.logical_id));
            match change.action {
                Action::Add => prop_assert!(old.is_none() && new.is_some()),
                Action::Modify { .. } => prop_assert!(old.is_some() && new.is_some()),
                Action::Remove(_) => prop_assert!(old.is_some() && new.is_none()),
            }
            prop_assert!(touched.insert(&change.logical_id), "each once");
        }
        for (id, new) in &after.resources {
            let same = before.resources.get(id).is_some_and(|old| old.properties == new.properties);
            prop_assert!(same || touched.contains(id));
        }
    }
}
