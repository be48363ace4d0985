//! Stacks: what becomes of them.

use serde_json::{Value, json};

use crate::world::{PATIENCE, World, form};

impl World {
    /// Sends a form to CloudFormation as the operator. Returns the body of what is answered.
    async fn cloudformation(&self, action: &str, members: &[(&str, &str)]) -> String {
        let answer = self.exchange(&self.form("cloudformation", &form(action, members))).await;
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{body}");
        body
    }

    /// Creates or updates the stack `s`. Returns what is said of it once it is settled, with its events.
    async fn deploy(&self, action: &str, template: &Value) -> String {
        self.cloudformation(action, &[("StackName", "s"), ("TemplateBody", &template.to_string())]).await;
        self.settled().await
    }

    /// Returns what is said of the stack `s` once it is settled, with its events.
    async fn settled(&self) -> String {
        let asking = async {
            loop {
                let stack = self.cloudformation("DescribeStacks", &[("StackName", "s")]).await;
                if !stack.contains("_IN_PROGRESS</StackStatus>") {
                    return stack;
                }
                tokio::task::yield_now().await;
            }
        };
        let stack = tokio::time::timeout(PATIENCE, asking).await.expect("a settled stack");
        stack + &self.cloudformation("DescribeStackEvents", &[("StackName", "s")]).await
    }
}

fn template(resource: &Value) -> Value {
    json!({"Resources": {"Resource": resource}})
}

#[tokio::test]
async fn outputs_may_name_parameters_that_no_resource_names() {
    let world = World::new().await;
    let parameter = json!({"Name": "/greeting", "Type": "String", "Value": "hello"});
    assert_eq!(world.target("ssm", "AmazonSSM.PutParameter", &parameter).await.0, 200);
    let mut template = template(&json!({"Type": "AWS::Logs::LogGroup"}));
    template["Outputs"] = json!({
        "Greeting": {"Value": "{{resolve:ssm:/greeting}} and {{resolve:ssm:/greeting:1}}"},
    });
    let stack = world.deploy("CreateStack", &template).await;
    assert!(stack.contains("<StackStatus>CREATE_COMPLETE</StackStatus>"), "{stack}");
    assert!(stack.contains("<OutputValue>hello and hello</OutputValue>"), "{stack}");
    template["Outputs"]["Greeting"]["Value"] = json!("{{resolve:ssm:/nobody}}");
    let stack = world.deploy("UpdateStack", &template).await;
    assert!(stack.contains("<StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus>"), "{stack}");
    assert!(stack.contains("Parameters: [{{resolve:ssm:/nobody}}] cannot be found."), "{stack}");
}

#[tokio::test]
async fn references_to_secrets_count_only_where_they_would_be_resolved() {
    let world = World::new().await;
    let secret = "{{resolve:secretsmanager:s}}";
    let mut template = template(&json!({"Type": "AWS::Logs::LogGroup", "Metadata": {"Was": secret}}));
    template["Description"] = json!(format!("once {secret}"));
    template["Conditions"] = json!({"Never": {"Fn::Equals": ["a", "b"]}});
    template["Resources"]["Unused"] =
        json!({"Type": "AWS::Logs::LogGroup", "Condition": "Never", "Properties": {"LogGroupName": secret}});
    let stack = world.deploy("CreateStack", &template).await;
    assert!(stack.contains("<StackStatus>CREATE_COMPLETE</StackStatus>"), "{stack}");
    template["Outputs"] = json!({"Secret": {"Value": secret}});
    let body = template.to_string();
    let update = form("UpdateStack", &[("StackName", "s"), ("TemplateBody", &body)]);
    let refused = world.exchange(&world.form("cloudformation", &update)).await;
    assert!(String::from_utf8_lossy(&refused.body).contains("is not served"), "{refused:?}");
}

#[tokio::test]
async fn the_bucket_that_is_there_from_the_start_gives_way_once() {
    let world = World::new().await;
    let name = "cdk-hnb659fds-assets-123456789012-us-east-1";
    let mut template = template(&json!({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}));
    template["Resources"]["Another"] = template["Resources"]["Resource"].clone();
    template["Resources"]["Another"]["DependsOn"] = json!("Resource");
    let stack = world.deploy("CreateStack", &template).await;
    assert!(stack.contains("<StackStatus>ROLLBACK_COMPLETE</StackStatus>"), "{stack}");
    assert!(stack.contains(&format!("{name} already exists")), "{stack}");
}

#[tokio::test]
async fn updates_of_records_are_checked_as_their_creation_is() {
    let key = |properties: Value| json!({"Type": "AWS::KMS::Key", "Properties": properties});
    let repository = |properties: Value| json!({"Type": "AWS::ECR::Repository", "Properties": properties});
    let tags = |count: usize| (0..count).map(|tag| json!({"Key": format!("k{tag}"), "Value": "x"})).collect::<Value>();
    let policy = json!({"Version": "2012-10-17", "Statement": []});
    for (before, after, expected) in [
        (
            key(json!({"KeyPolicy": policy})),
            key(json!({"KeyPolicy": policy, "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"})),
            "KeySpec",
        ),
        (
            key(json!({"KeyPolicy": policy, "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"})),
            key(json!({"KeyPolicy": policy, "KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"})),
            "KeyUsage",
        ),
        (repository(json!({})), repository(json!({"ImageTagMutability": "SOMETIMES"})), "imageTagMutability"),
        (repository(json!({"Tags": tags(50)})), repository(json!({"Tags": tags(51)})), "maximum number of tags"),
    ] {
        let world = World::new().await;
        let stack = world.deploy("CreateStack", &template(&before)).await;
        assert!(stack.contains("<StackStatus>CREATE_COMPLETE</StackStatus>"), "{stack}");
        let stack = world.deploy("UpdateStack", &template(&after)).await;
        assert!(stack.contains("<StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus>"), "{stack}");
        let reasons = stack.split("<ResourceStatusReason>").skip(1).filter_map(|rest| rest.split("</").next());
        assert!(reasons.into_iter().any(|reason| reason.contains(expected)), "{expected}: {stack}");
    }
}

#[tokio::test]
async fn records_that_are_gone_cannot_be_updated() {
    let repository = |mutability: &str| {
        template(&json!({
            "Type": "AWS::ECR::Repository",
            "Properties": {"RepositoryName": "images", "ImageTagMutability": mutability},
        }))
    };
    let world = World::new().await;
    world.deploy("CreateStack", &repository("MUTABLE")).await;
    let delete = "AmazonEC2ContainerRegistry_V20150921.DeleteRepository";
    assert_eq!(world.target("ecr", delete, &json!({"repositoryName": "images"})).await.0, 200);
    let stack = world.deploy("UpdateStack", &repository("IMMUTABLE")).await;
    assert!(stack.contains("The repository with name &apos;images&apos; does not exist"), "{stack}");
}

#[tokio::test]
async fn what_cannot_make_room_for_what_is_made_anew_fails_the_update() {
    let bucket = |name: &str| json!({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}});
    let world = World::new().await;
    let mut template = template(&json!({"Type": "AWS::Logs::LogGroup"}));
    world.deploy("CreateStack", &template).await;
    template["Resources"]["Bucket"] = bucket("one");
    template["Resources"]["Twin"] = bucket("one");
    template["Resources"]["Twin"]["DependsOn"] = json!("Bucket");
    let body = template.to_string();
    let members = [("StackName", "s"), ("TemplateBody", &body), ("DisableRollback", "true")];
    world.cloudformation("UpdateStack", &members).await;
    let stack = world.settled().await;
    assert!(stack.contains("<StackStatus>UPDATE_FAILED</StackStatus>"), "{stack}");
    assert_eq!(world.s3("PUT", "/one/k", &[], b"content").await.status, 200);
    template["Resources"]["Bucket"] = bucket("two");
    template["Resources"]["Twin"] = bucket("three");
    let stack = world.deploy("UpdateStack", &template).await;
    assert!(stack.contains("<StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus>"), "{stack}");
    assert!(stack.contains("The bucket you tried to delete is not empty"), "{stack}");
}

#[tokio::test]
async fn a_change_set_that_is_executed_is_gone_and_may_be_asked_for_again_by_its_token() {
    let world = World::new().await;
    let template = template(&json!({"Type": "AWS::Logs::LogGroup"})).to_string();
    let of = [("StackName", "s"), ("ChangeSetName", "c")];
    let create = [of[0], of[1], ("ChangeSetType", "CREATE"), ("TemplateBody", &template)];
    world.cloudformation("CreateChangeSet", &create).await;
    let execute = [of[0], of[1], ("ClientRequestToken", "token")];
    for _ in 0..3 {
        world.cloudformation("ExecuteChangeSet", &execute).await;
    }
    let stack = world.settled().await;
    assert!(stack.contains("<StackStatus>CREATE_COMPLETE</StackStatus>"), "{stack}");
    let known = world.cloudformation("ListChangeSets", &[of[0]]).await;
    assert!(!known.contains("<ChangeSetName>"), "{known}");
    world.cloudformation("ExecuteChangeSet", &execute).await;
}
