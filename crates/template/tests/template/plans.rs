//! From a template and what is deployed to what is to be done.

use everstep_template::{Deployed, NO_CHANGES, Plan};

use crate::support::{bind, plan};

/// Each change as `Action Id`, with what it waits for.
fn shown(plan: &Plan) -> Vec<String> {
    let change = |change: &everstep_template::Change| {
        let action = match &change.action {
            everstep_template::Action::Add => "Add".to_owned(),
            everstep_template::Action::Modify { replacement, .. } => format!("Modify({replacement:?})"),
            everstep_template::Action::Remove(policy) => format!("Remove({policy:?})"),
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
