//! The SAM transform where there is no other to compare it with, and what holds for any template.
//!
//! `tests/clients/test_sam_transform.py` compares it with AWS's own translator.

use std::collections::BTreeMap;

use everstep_template::sam::{Place, Problem, is_not_served, message, transform};
use everstep_template::types::is_recognized;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn transformed(template: &Value) -> Result<Value, Vec<Problem>> {
    let place = Place { partition: "aws".to_owned(), region: "us-west-2".to_owned() };
    transform(template, &BTreeMap::from([("Name".to_owned(), json!("given"))]), &place)
}

/// Checks what stands at a JSON pointer in a transformed template.
#[track_caller]
fn check(template: &Value, pointer: &str, expected: &Value) {
    let template = with_transform(template.clone());
    let result = transformed(&template).unwrap_or_else(|problems| panic!("{}", message(&problems)));
    assert_eq!(result.pointer(pointer).unwrap_or(&Value::Null), expected, "{result:#}");
}

/// Checks what is said of a template.
#[track_caller]
fn check_refused(template: &Value, expected: &[&str]) {
    let problems: Vec<_> = match transformed(template) {
        Ok(template) => panic!("{template:#}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(problems, expected);
}

fn with_transform(mut template: Value) -> Value {
    template["Transform"] = "AWS::Serverless-2016-10-31".into();
    template
}

fn function(properties: Value) -> Value {
    let mut all = json!({ "Runtime": "python3.13", "Handler": "app.handler", "CodeUri": "s3://bucket/key" });
    all.as_object_mut().unwrap().extend(properties.as_object().cloned().unwrap());
    json!({ "Type": "AWS::Serverless::Function", "Properties": all })
}

#[test]
fn a_template_without_the_transform_comes_back_as_it_is() {
    let check = |template: Value| assert_eq!(transformed(&template).unwrap(), template);
    check(json!({ "Resources": { "F": function(json!({})) }, "Globals": [] }));
    check(json!({ "Resources": [] }));
    check(json!([1]));
    check(Value::Null);
}

#[test]
fn only_transforms_that_are_served_are_accepted() {
    let template = |transform: Value, resources: Value| json!({ "Transform": transform, "Resources": resources });
    let resources = json!({ "F": function(json!({})) });
    let both = json!(["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]);
    for transform in [json!("AWS::Serverless-2016-10-31"), json!(["AWS::Serverless-2016-10-31"]), both.clone()] {
        let result = transformed(&template(transform, resources.clone())).unwrap();
        assert_eq!(result["Resources"]["F"]["Type"], "AWS::Lambda::Function");
        assert_eq!(result.get("Transform"), None);
    }
    let extensions = template(json!("AWS::LanguageExtensions"), resources.clone());
    assert_eq!(transformed(&extensions).unwrap(), json!({ "Resources": resources }));

    let not_served = " of the transform AWS::LanguageExtensions is not served; write the template without it";
    for name in ["Fn::ForEach::Functions", "Fn::Length", "Fn::ToJsonString"] {
        check_refused(&template(both.clone(), json!({ "F": { name: [] } })), &[&format!("{name}{not_served}")]);
    }
    check_refused(&template(json!("Own"), json!({})), &["No transform named Own found."]);
    let form =
        "Template format error: Transform must be a name or a list of names; macros with parameters are not served.";
    check_refused(&template(json!([{ "Name": "AWS::Include" }]), json!({})), &[form]);
}

#[test]
fn what_is_not_served_is_given_back() {
    let events = json!({
        "Read": { "Type": "Api", "Properties": { "Path": "/", "Method": "get" } },
        "Put": { "Type": "S3", "Properties": { "Bucket": { "Ref": "Bucket" }, "Events": "s3:ObjectCreated:*" } },
        "Said": { "Type": "SNS" },
    });
    let mut conditional = function(json!({ "Events": events }));
    conditional["Condition"] = "Wanted".into();
    let template = json!({ "Resources": { "F": conditional } });
    let api = json!({ "Type": "AWS::Serverless::Api", "Condition": "Wanted", "Properties": { "StageName": "Prod" } });
    let read = json!({ "Type": "Everstep::NotServed::Api", "Condition": "Wanted", "Properties": events["Read"]["Properties"] });
    check(&template, "/Resources/ServerlessRestApi", &api);
    check(&template, "/Resources/ServerlessHttpApi", &Value::Null);
    check(&template, "/Resources/FRead", &read);
    check(&template, "/Resources/FPut/Type", &json!("Everstep::NotServed::S3"));
    check(&template, "/Resources/FPut/Properties", &events["Put"]["Properties"]);
    check(&template, "/Resources/FSaid/Type", &json!("Everstep::NotServed::SNS"));

    let deployment = json!({ "Type": "Canary10Percent5Minutes" });
    let template = json!({ "Resources": { "F": function(json!({ "AutoPublishAlias": "live", "DeploymentPreference": deployment })) } });
    check(&template, "/Resources/FDeploymentPreference/Type", &json!("Everstep::NotServed::DeploymentPreference"));
    check(&template, "/Resources/FDeploymentPreference/Properties", &deployment);

    for kind in ["Api", "HttpApi", "StateMachine", "Application", "Connector", "GraphQLApi", "Unheard"] {
        let resource = json!({ "Type": format!("AWS::Serverless::{kind}"), "Properties": { "A": { "Ref": "Name" } } });
        check(&json!({ "Resources": { "R": resource } }), "/Resources/R", &resource);
    }
    let check_kind = |kind: &str, expected: bool| {
        assert_eq!((is_not_served(kind), is_recognized(kind)), (expected, expected), "{kind}");
    };
    check_kind("AWS::Serverless::HttpApi", true);
    check_kind("Everstep::NotServed::Api", true);
    check_kind("AWS::Serverless::Function", false);
    check_kind("AWS::Serverless::Unheard", false);
    let template =
        json!({ "Resources": { "R": { "Type": "AWS::Serverless::Api" } }, "Outputs": { "O": { "Ref": "R.Stage" } } });
    check(&template, "/Outputs/O", &json!({ "Ref": "R" }));
}

#[test]
fn an_api_is_made_for_events_that_do_not_name_one() {
    let event = |kind: &str, properties: Value| {
        function(json!({ "Events": { "E": { "Type": kind, "Properties": properties } } }))
    };
    let with_condition = |mut resource: Value, condition: &str| {
        resource["Condition"] = condition.into();
        resource
    };
    let template = json!({ "Globals": { "HttpApi": { "FailOnWarnings": true } }, "Resources": { "F": event("HttpApi", json!({})) } });
    let api = json!({ "Type": "AWS::Serverless::HttpApi", "Properties": { "FailOnWarnings": true } });
    check(&template, "/Resources/ServerlessHttpApi", &api);

    let named = json!({ "Resources": { "F": event("HttpApi", json!({ "ApiId": "x" })), "G": event("Api", json!({ "RestApiId": "x" })) } });
    check(&named, "/Resources/ServerlessHttpApi", &Value::Null);
    check(&named, "/Resources/ServerlessRestApi", &Value::Null);

    let own = json!({ "Resources": { "F": event("Api", json!({})), "ServerlessRestApi": { "Type": "AWS::Serverless::Api", "Properties": { "A": 1 } } } });
    check(&own, "/Resources/ServerlessRestApi/Properties", &json!({ "A": 1 }));

    let two = |second: &str| json!({ "Resources": { "F": with_condition(event("Api", json!({})), "A"), "G": with_condition(event("Api", json!({})), second) } });
    check(&two("A"), "/Resources/ServerlessRestApi/Condition", &json!("A"));
    check(&two("B"), "/Resources/ServerlessRestApi/Condition", &Value::Null);
}

#[test]
fn connectors_in_other_resources_become_resources() {
    let connector = json!({ "Properties": { "Destination": { "Id": "Table" }, "Permissions": ["Read"], "SourceReference": { "Qualifier": "q" } } });
    let template = |name: &str| json!({ "Resources": { "Topic": { "Type": "AWS::SNS::Topic", "Connectors": { name: connector } }, "TopicTaken": { "Type": "AWS::SNS::Topic" } } });
    let expected = json!({
        "Type": "AWS::Serverless::Connector",
        "Properties": { "Destination": { "Id": "Table" }, "Permissions": ["Read"], "Source": { "Id": "Topic", "Qualifier": "q" } },
    });
    check(&template("Out"), "/Resources/TopicOut", &expected);
    check(&template("Out"), "/Resources/Topic", &json!({ "Type": "AWS::SNS::Topic" }));
    check_refused(
        &with_transform(template("Taken")),
        &["Transforming resource with id [Topic] attempts to create a new resource with id [TopicTaken] and type \
           \"AWS::Serverless::Connector\". A resource with that id already exists within this template. \
           Please use a different id for that resource."],
    );
    let list = json!({ "Resources": { "Topic": { "Type": "AWS::SNS::Topic", "Connectors": [] } } });
    check_refused(
        &with_transform(list),
        &["Resource with id [Topic] is invalid. Attribute 'Topic.Connectors' should be a map."],
    );
}

#[test]
fn the_policy_for_durable_functions_is_known_by_its_name() {
    let policy = "AWSLambdaBasicDurableExecutionRolePolicy";
    let arn = format!("arn:aws:iam::aws:policy/service-role/{policy}");
    let template = json!({ "Resources": { "F": function(json!({ "DurableConfig": { "ExecutionTimeout": 5 }, "Policies": policy })) } });
    check(&template, "/Resources/FRole/Properties/ManagedPolicyArns", &json!([arn]));
}

#[test]
fn parameters_that_are_no_texts_are_substituted_too() {
    let name = json!({ "Fn::Sub": "${Name}-${Count}-${List}-${Later}-${AWS::Region}-${AWS::AccountId}" });
    let template = json!({
        "Parameters": { "Count": { "Default": 3 }, "List": { "Default": ["a"] }, "Later": { "Default": "{{IntrinsicFunction:x}}" } },
        "Resources": { "F": function(json!({ "AutoPublishAlias": "live", "CodeUri": { "Bucket": "b", "Key": name } })) },
    });
    let expected = json!({ "Fn::Sub": "given-3-${List}-${Later}-us-west-2-${AWS::AccountId}" });
    check(&template, "/Resources/F/Properties/Code/S3Key", &expected);
}

#[test]
fn all_problems_are_told_in_one_message() {
    let template = with_transform(
        json!({ "Resources": { "A": function(json!({ "X": 1 })), "B": function(json!({ "Role": 1 })) } }),
    );
    let expected = "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. \
                    Number of errors found: 2. Resource with id [A] is invalid. property X not defined for resource of type \
                    AWS::Serverless::Function Resource with id [B] is invalid. Property 'Role' should be a string.";
    assert_eq!(message(&transformed(&template).unwrap_err()), expected);
}

/// Any JSON, made of words that mean something to the transform.
fn anything() -> impl Strategy<Value = Value> {
    let words = "Ref Fn::If Fn::Sub Fn::GetAtt Fn::FindInMap Type Properties Events DestinationConfig OnFailure Destination Arn \
                 AuthType Cors Statement SQSPollerPolicy QueueName AWS::NoValue A A.Alias ${A} ${é} SQS Schedule S3 NONE Retain \
                 s3://b/k s3:// Enabled Id";
    let words: Vec<&str> = words.split_whitespace().collect();
    let word = prop::sample::select(words).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..4).prop_map(|members| Map::from_iter(members).into()),
        ]
    })
}

/// A template whose resources have properties that SAM knows, with anything for values.
fn template() -> impl Strategy<Value = Value> {
    let kinds = [
        "AWS::Serverless::Function",
        "AWS::Serverless::LayerVersion",
        "AWS::Serverless::SimpleTable",
        "AWS::Serverless::Api",
        "AWS::SNS::Topic",
    ];
    let names = "AutoPublishAlias AutoPublishAliasAllProperties AutoPublishCodeSha256 CodeUri ContentUri DeadLetterQueue \
                 DeploymentPreference DurableConfig Environment EventInvokeConfig Events FunctionUrlConfig Layers \
                 PackageType Policies PrimaryKey PropagateTags RetentionPolicy Role SnapStart Tags TenancyConfig Tracing";
    let names: Vec<&str> = names.split_whitespace().collect();
    let names = prop::sample::select(names);
    let attributes = prop::sample::select(vec![
        "Condition",
        "DependsOn",
        "Metadata",
        "IgnoreGlobals",
        "Connectors",
        "DeletionPolicy",
    ]);
    let resource = (
        prop::sample::select(kinds.to_vec()),
        prop::collection::btree_map(names.clone(), anything(), 0..4),
        prop::collection::btree_map(attributes, anything(), 0..2),
    );
    let resource = resource.prop_map(|(kind, properties, attributes)| {
        let mut resource = function(json!(properties));
        if kind != "AWS::Serverless::Function" {
            resource = json!({ "Type": kind, "Properties": properties });
        }
        resource.as_object_mut().unwrap().extend(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)));
        resource
    });
    let resources = prop::collection::btree_map(prop::sample::select(vec!["A", "B", "ARole"]), resource, 0..3);
    (resources, prop::collection::btree_map(names, anything(), 0..2), anything()).prop_map(
        |(resources, globals, other)| {
            let mut template = with_transform(
                json!({ "Resources": resources, "Outputs": other, "Mappings": other, "Conditions": other }),
            );
            if !globals.is_empty() {
                template["Globals"] = json!({ "Function": globals });
            }
            template
        },
    )
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in anything()) {
        let _ = transformed(&value);
        if value.is_object() {
            let _ = transformed(&with_transform(value));
        }
    }

    #[test]
    fn a_transformed_template_is_transformed_to_itself(template in template()) {
        if let Ok(once) = transformed(&template) {
            prop_assert_eq!(transformed(&with_transform(once.clone())), Ok(once));
        }
    }
}
