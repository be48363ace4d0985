//! SAM's policy templates: policies with a name for a purpose, and parameters for what they are about.
//!
//! `templates.txt` holds them. Below the name of a template stand its statements, all of which allow something:
//! the actions of a service, and below them the resources, and `if OPERATOR KEY VALUE` for a condition.
//! `@service:` begins an ARN in the stack's own place, `arn::service` one without it. `{Name}` is the value of a
//! parameter; it goes into `Fn::Sub` as a variable that is called `name`, or as `{variable=Name}` says.
//! Source: the policy templates of `aws-sam-translator` 1.115.0.

use serde_json::{Map, Value, json};

use crate::sam::problem::listed;

/// All templates.
const TEMPLATES: &str = include_str!("templates.txt");

/// Tells whether there is a template of this name.
pub fn exists(name: &str) -> bool {
    TEMPLATES.lines().any(|line| line == name) && !name.is_empty()
}

/// Returns the policy document that a template stands for.
///
/// # Errors
/// What AWS says of parameters that are missing, or no object.
pub fn expand(name: &str, parameters: &Value) -> Result<Value, String> {
    let Some(values) = parameters.as_object() else {
        return Err(format!("Must specify valid parameter values for policy template '{name}'"));
    };
    let lines = || TEMPLATES.lines().skip_while(|line| *line != name).skip(1).take_while(|line| line.starts_with(' '));
    let mut missing: Vec<&str> = lines().flat_map(variables).map(|(_, name)| name).collect();
    missing.retain(|name| !values.contains_key(*name));
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let missing = listed(&missing);
        return Err(format!("Following required parameters of template '{name}' don't have values: {missing}"));
    }
    let mut statements = Vec::new();
    for line in lines() {
        if let Some(below) = line.strip_prefix("    ") {
            let statement: &mut Map<String, Value> = statements.last_mut().expect("actions stand above resources");
            add_to(statement, below, values);
        } else {
            statements.push(allowing(line.trim_start()));
        }
    }
    Ok(json!({ "Statement": statements }))
}

/// Begins a statement of a line `service: Action Action`.
fn allowing(line: &str) -> Map<String, Value> {
    let (service, actions) = line.split_once(": ").expect("actions follow a service");
    let actions: Vec<_> = actions.split(' ').map(|action| format!("{service}:{action}").into()).collect();
    Map::from_iter([("Effect".to_owned(), "Allow".into()), ("Action".to_owned(), Value::Array(actions))])
}

/// Adds a resource or a condition to a statement.
fn add_to(statement: &mut Map<String, Value>, line: &str, values: &Map<String, Value>) {
    match line.strip_prefix("if ") {
        Some(condition) => {
            let mut parts = condition.splitn(3, ' ');
            let mut part = || parts.next().expect("a condition has an operator, a key and a value");
            let (operator, key, value) = (part(), part(), part());
            statement.insert("Condition".to_owned(), json!({ operator: { key: text(value, values) } }));
        }
        None => {
            let resources = statement.entry("Resource").or_insert_with(|| json!([]));
            resources.as_array_mut().expect("it was made as a list").push(text(line, values));
        }
    }
}

/// Writes out an ARN: as `Fn::Sub` unless it is just `*`.
fn text(line: &str, values: &Map<String, Value>) -> Value {
    let mut text = match line.strip_prefix('@').and_then(|own| own.split_once(':')) {
        Some((service, rest)) => {
            format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}")
        }
        None => line.replacen("arn::", "arn:${AWS::Partition}:", 1),
    };
    let mut given = Map::new();
    for (variable, name) in variables(line) {
        for spelled in [format!("{{{name}}}"), format!("{{{variable}={name}}}")] {
            text = text.replace(&spelled, &format!("${{{variable}}}"));
        }
        given.insert(variable, values[name].clone());
    }
    match (text.contains("${"), given.is_empty()) {
        (false, _) => text.into(),
        (true, true) => json!({ "Fn::Sub": text }),
        (true, false) => json!({ "Fn::Sub": [text, given] }),
    }
}

/// Lists the variables of a line and the parameters that they stand for.
fn variables(line: &str) -> impl Iterator<Item = (String, &str)> {
    line.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(inside, _)| match inside.split_once('=') {
        Some((variable, name)) => (variable.to_owned(), name),
        None => (inside[..1].to_lowercase() + &inside[1..], inside),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_expands() {
        for name in TEMPLATES.lines().filter(|line| !line.starts_with(' ')) {
            let missing = expand(name, &json!({})).err().unwrap_or_default();
            let parameters: Map<_, _> =
                missing.split('\'').skip(4).step_by(2).map(|name| (name.to_owned(), "x".into())).collect();
            let document = expand(name, &parameters.into()).unwrap_or_else(|problem| panic!("{name}: {problem}"));
            for statement in document["Statement"].as_array().unwrap() {
                assert!(statement["Action"][0].is_string() && !statement["Resource"][0].is_null(), "{name}");
            }
        }
    }

    #[test]
    fn parameters_are_substituted() {
        let check = |name: &str, parameters: Value, pointer: &str, expected: Value| {
            assert_eq!(expand(name, &parameters).unwrap().pointer(pointer), Some(&expected), "{name}");
        };
        let reference = json!({ "Ref": "Queue" });
        let arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${queueName}";
        check(
            "SQSPollerPolicy",
            json!({ "QueueName": reference }),
            "/Statement/0/Resource/0",
            json!({ "Fn::Sub": [arn, { "queueName": reference }] }),
        );
        check("SQSPollerPolicy", json!({ "QueueName": "q" }), "/Statement/0/Action/5", json!("sqs:ReceiveMessage"));
        check("AMIDescribePolicy", json!({}), "/Statement/0/Resource/0", json!("*"));
        let arn = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/*";
        check("CloudFormationDescribeStacksPolicy", json!({}), "/Statement/0/Resource/0", json!({ "Fn::Sub": arn }));
        let arn = "arn:${AWS::Partition}:s3:::${bucketName}/*";
        check(
            "S3ReadPolicy",
            json!({ "BucketName": "b" }),
            "/Statement/0/Resource/1",
            json!({ "Fn::Sub": [arn, { "bucketName": "b" }] }),
        );
        let arn = "arn:${AWS::Partition}:athena:${AWS::Region}:${AWS::AccountId}:workgroup/${workgroupName}";
        check(
            "AthenaQueryPolicy",
            json!({ "WorkGroupName": "w" }),
            "/Statement/1/Resource/0",
            json!({ "Fn::Sub": [arn, { "workgroupName": "w" }] }),
        );
        let arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${functionName}";
        let condition =
            json!({ "secretsmanager:resource/AllowRotationLambdaArn": { "Fn::Sub": [arn, { "functionName": "f" }] } });
        check(
            "AWSSecretsManagerRotationPolicy",
            json!({ "FunctionName": "f" }),
            "/Statement/0/Condition/StringEquals",
            condition,
        );
    }

    #[test]
    fn parameters_must_be_given() {
        let check = |parameters: Value, expected: &str| {
            assert_eq!(expand("DynamoDBStreamReadPolicy", &parameters).unwrap_err(), expected);
        };
        let missing = "Following required parameters of template 'DynamoDBStreamReadPolicy' don't have values: ";
        check(json!({}), &format!("{missing}['StreamName', 'TableName']"));
        check(json!({ "TableName": "t" }), &format!("{missing}['StreamName']"));
        check(json!([]), "Must specify valid parameter values for policy template 'DynamoDBStreamReadPolicy'");
        check(Value::Null, "Must specify valid parameter values for policy template 'DynamoDBStreamReadPolicy'");
    }
}
