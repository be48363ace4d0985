//! From a template and what is deployed to what is to be done.

use everstep_template::{Action, Deployed, NO_CHANGES, Plan};

use crate::support::{bind, plan};

/// Each change as `Action Id`, with what it waits for.
fn shown(plan: &Plan) -> Vec<String> {
    let change = |change: &everstep_template::Change| {
        let action = match &change.action {
            Action::Add => "Add".to_owned(),
            Action::Modify { replacement, .. } => format!("Modify({replacement:?})"),
            Action::Remove(policy) => format!("Remove({policy:?})"),
        };
        let after: Vec<&str> = change.after.iter().map(String::as_str).collect();
        let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
        format!("{action} {}{after}", change.logical_id)
    };
    plan.changes.iter().map(change).collect()
}

const STACK: &str = "
Parameters:
  Days: {Type: Number, Default: 7}
Conditions:
  Kept: !Not [!Equals [!Ref Days, '0']]
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Code: {ZipFile: 'x'}
      Role: !GetAtt Role.Arn
      LoggingConfig: {LogGroup: !Ref Logs}
  Alone: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub '${AWS::StackName}'}}
  Logs:
    Type: AWS::Logs::LogGroup
    Condition: Kept
    DeletionPolicy: Retain
    Properties: {RetentionInDays: !Ref Days}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
";

#[test]
fn what_is_needed_comes_first_and_the_rest_at_once() {
    let plan = plan(STACK, &[]).unwrap();
    assert_eq!(shown(&plan), ["Add Alone", "Add Logs", "Add Role", "Add Function after Logs, Role"]);
}

#[test]
fn the_same_again_is_no_change() {
    let bound = bind(STACK, &[]).unwrap();
    let plan = bound.plan(&bound.deployed(), |_| true).unwrap();
    assert!(plan.is_empty(), "{plan:?}");
    assert!(NO_CHANGES.starts_with("The submitted information didn't contain changes."));
}

#[test]
fn everything_is_removed_in_the_other_order() {
    let deployed = bind(STACK, &[]).unwrap().deployed();
    let expected =
        ["Remove(Delete) Function", "Remove(Delete) Role after Function", "Remove(Retain) Logs after Function"];
    let removal = shown(&Plan::removal(&deployed));
    assert_eq!(removal[..3], expected);
    assert_eq!(removal[3], "Remove(Delete) Alone");
}

#[test]
fn a_resource_whose_condition_fails_is_not_there() {
    let refused = plan(STACK, &[("Days", "0")]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "Template format error: Unresolved resource dependencies [Logs] in the Resources block of the template"
    );
}

#[test]
fn a_change_names_what_may_follow_it() {
    let deployed: Deployed = bind(STACK, &[]).unwrap().deployed();
    let plan = bind(STACK, &[("Days", "14")]).unwrap().plan(&deployed, |_| true).unwrap();
    assert_eq!(shown(&plan), ["Modify(False) Logs"]);
}

fn check_refused(text: &str, message: &str) {
    assert_eq!(plan(text, &[]).unwrap_err().to_string(), message, "{text}");
}

/// What is planned when one template follows another.
fn between(before: &str, after: &str) -> Plan {
    bind(after, &[]).unwrap().plan(&bind(before, &[]).unwrap().deployed(), |_| true).unwrap()
}

#[test]
fn types_are_served_or_noted_or_refused() {
    let text = "
Resources:
  Q: {Type: 'AWS::SQS::Queue'}
  Rule: {Type: 'AWS::Events::Rule'}
  Own: {Type: 'Custom::Thing', Properties: {ServiceToken: x}}
";
    let plan = bind(text, &[]).unwrap().plan(&Deployed::default(), |name| name == "AWS::SQS::Queue").unwrap();
    let noted: Vec<(&str, &str)> = plan.not_served.iter().map(|(id, kind)| (id.as_str(), kind.as_str())).collect();
    assert_eq!(noted, [("Own", "Custom::Thing"), ("Rule", "AWS::Events::Rule")]);
    assert_eq!(plan.changes.len(), 3);
    for name in [
        "AWS::Serverless::Function",
        "AWS::Nothing::Here",
        "AWS::Lambda",
        "Foo",
        "AWS::Lambda::",
        "AWS::Lambda::A::B",
        "Custom::",
        "aws::lambda::Function",
    ] {
        let text = format!("Resources: {{R: {{Type: '{name}'}}}}");
        check_refused(&text, &format!("Template format error: Unrecognized resource types: [{name}]"));
    }
}

#[test]
fn what_the_sam_transform_leaves_is_noted() {
    let text = "Resources: {A: {Type: 'AWS::Serverless::HttpApi'}, B: {Type: 'Everstep::NotServed::Schedule'}}";
    let plan = bind(text, &[]).unwrap().plan(&Deployed::default(), |_| false).unwrap();
    let noted: Vec<&str> = plan.not_served.values().map(String::as_str).collect();
    assert_eq!(noted, ["AWS::Serverless::HttpApi", "Everstep::NotServed::Schedule"]);
}

#[test]
fn wrong_properties_are_refused_all_at_once() {
    check_refused(
        "
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties: {Handler: [x], Timeout: soon, Environment: {Variables: {A: {b: c}}}, Layers: l, Size: 1}
",
        "Properties validation failed for resource F with message:\
         \n#: required key [Code] not found\
         \n#: required key [Role] not found\
         \n#: extraneous key [Size] is not permitted\
         \n#/Environment/Variables/A: expected type: String, found: JSONObject\
         \n#/Handler: expected type: String, found: JSONArray\
         \n#/Layers: expected type: JSONArray, found: String\
         \n#/Timeout: expected type: Integer, found: String",
    );
    let attribute = "Resources: {F: {Type: 'AWS::SQS::Queue'}, G: {Type: 'Custom::X', Properties: {A: !GetAtt F.Url}}}";
    check_refused(attribute, "Template error: resource F does not support attribute type Url in Fn::GetAtt");
}

#[test]
fn a_property_that_cannot_change_takes_a_new_resource() {
    let function = |name: &str, memory: &str, durable: &str| {
        format!(
            "
Resources:
  F: {{Type: 'AWS::Lambda::Function', Properties: {{Code: {{}}, Role: r, FunctionName: {name}, MemorySize: {memory}{durable}}}}}
  Alias: {{Type: 'AWS::Lambda::Alias', Properties: {{FunctionName: !Ref F, FunctionVersion: '1', Name: live}}}}
  Arn: {{Type: 'AWS::SSM::Parameter', Properties: {{Type: String, Value: !GetAtt F.Arn}}}}
"
        )
    };
    let check = |after: String, expected: &[&str]| {
        assert_eq!(shown(&between(&function("a", "128", ""), &after)), expected, "{after}")
    };
    check(function("a", "128", ""), &[]);
    // A number may be written as a text.
    check(function("a", "'128'", ""), &[]);
    check(function("a", "256", ""), &["Modify(False) F", "Modify(False) Arn after F"]);
    check(
        function("b", "128", ""),
        &["Modify(True) F", "Modify(Conditional) Alias after F", "Modify(False) Arn after F"],
    );
    let durable = ", DurableConfig: {ExecutionTimeout: 5}";
    check(
        function("a", "128", durable),
        &["Modify(True) F", "Modify(Conditional) Alias after F", "Modify(False) Arn after F"],
    );
    let longer = function("a", "128", &durable.replace('5', "6"));
    assert_eq!(
        shown(&between(&function("a", "128", durable), &longer)),
        ["Modify(False) F", "Modify(False) Arn after F"]
    );
}

#[test]
fn details_say_what_changes_and_why() {
    let before = "
Resources:
  F: {Type: 'AWS::SQS::Queue', Properties: {QueueName: a}}
  P: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: !GetAtt F.Arn, Name: !Ref F}}
";
    let after = "
Resources:
  F: {Type: 'AWS::SQS::Queue', Properties: {QueueName: b}, DeletionPolicy: Retain, UpdateReplacePolicy: Retain}
  P: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: !GetAtt F.Arn, Name: !Ref F}, Metadata: {a: b}}
";
    let shown: Vec<String> = between(before, after)
        .changes
        .iter()
        .flat_map(|change| match &change.action {
            Action::Modify { details, .. } => details.clone(),
            Action::Add | Action::Remove(_) => vec![],
        })
        .map(|detail| format!("{:?} {} {:?} {:?}", detail.target, detail.certain, detail.cause, detail.recreation))
        .collect();
    assert_eq!(
        shown,
        [
            r#"Property("QueueName") true None True"#,
            "DeletionPolicy true None False",
            "UpdateReplacePolicy true None False",
            r#"Property("Name") false Some("F") Conditional"#,
            r#"Property("Value") false Some("F.Arn") False"#,
            "Metadata true None False",
        ]
    );
}

#[test]
fn outputs_alone_are_a_change() {
    let before = "Resources: {Q: {Type: 'AWS::SQS::Queue'}}";
    let plan = between(before, &format!("{before}\nOutputs: {{O: {{Value: !Ref Q}}}}"));
    assert!(plan.changes.is_empty() && plan.outputs_change && !plan.is_empty());
}

#[test]
fn what_is_gone_is_removed_after_what_needed_it_and_after_all_else() {
    let before = "
Resources:
  A: {Type: 'AWS::SQS::Queue'}
  B: {Type: 'AWS::SQS::Queue', DependsOn: A}
  C: {Type: 'AWS::SQS::Queue', DependsOn: B, DeletionPolicy: Retain}
";
    let after = "Resources: {B: {Type: 'AWS::SQS::Queue'}, D: {Type: 'AWS::SQS::Queue', DependsOn: B}}";
    assert_eq!(shown(&between(before, after)), ["Add D", "Remove(Retain) C", "Remove(Delete) A after C"]);
}

#[test]
fn a_resource_keeps_its_type() {
    let deployed = bind("Resources: {R: {Type: 'AWS::SQS::Queue'}}", &[]).unwrap().deployed();
    let refused =
        bind("Resources: {R: {Type: 'AWS::Logs::LogGroup'}}", &[]).unwrap().plan(&deployed, |_| true).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Update of resource type is not permitted. The new template modifies resource type of the following resources: [R]"
    );
}

#[test]
fn what_is_deployed_can_be_stored() {
    let deployed = bind(STACK, &[]).unwrap().deployed();
    let stored = serde_json::to_string(&deployed).unwrap();
    assert_eq!(serde_json::from_str::<Deployed>(&stored).unwrap(), deployed);
}
