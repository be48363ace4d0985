//! Who may do what: every operation is refused to who has no policy for it, and what policies give holds at once.

use std::time::SystemTime;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{Answer, Signer, Wire, World, allow, escaped, execution, function, redacted, trust};

/// Every operation, and what a user without policies is denied: `operations.txt`, of which a test in the server knows
/// that no operation is missing.
const OPERATIONS: &str = include_str!("operations.txt");

/// Whose key signs.
#[derive(Clone)]
struct Holder {
    access_key_id: String,
    secret: String,
    token: Option<String>,
}

/// Returns what is in an element of an answer in XML.
fn element(answer: &Answer, name: &str) -> String {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let found = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).0.into()
}

/// Returns the message of a refusal, whatever it is written in; `allowed` if there is none.
fn refusal(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.status != 403 {
        return format!("allowed ({})", answer.status);
    }
    let message = match serde_json::from_str::<Value>(&text) {
        Ok(json) => json["Message"].as_str().or(json["message"].as_str()).unwrap_or_default().to_string(),
        Err(_) => element(answer, "Message"),
    };
    let (_, rest) = message.split_once(" is not authorized to perform: ").unwrap_or(("", &message));
    redacted(rest).replace("&apos;", "'")
}

impl World {
    /// Makes a user with a policy, and a key of it.
    async fn user(&self, name: &str, policy: Option<&str>) -> Holder {
        assert_eq!(self.iam("CreateUser", &[("UserName", name)]).await.status, 200);
        if let Some(policy) = policy {
            self.put_user_policy(name, policy).await;
        }
        let key = self.iam("CreateAccessKey", &[("UserName", name)]).await;
        Holder { access_key_id: element(&key, "AccessKeyId"), secret: element(&key, "SecretAccessKey"), token: None }
    }

    async fn put_user_policy(&self, name: &str, policy: &str) {
        let members = [("UserName", name), ("PolicyName", "p"), ("PolicyDocument", policy)];
        assert_eq!(self.iam("PutUserPolicy", &members).await.status, 200);
    }

    /// Sends a request as somebody.
    async fn send_as(&self, who: &Holder, service: &'static str, method: &str, target: &str, body: &str) -> Answer {
        let form = "application/x-www-form-urlencoded";
        let (path, headers): (&str, Vec<(&str, &str)>) = match service {
            "iam" | "sts" | "cloudformation" => ("/", vec![("content-type", form)]),
            "cloudcontrolapi" | "ecr" | "kms" | "logs" | "ssm" => ("/", vec![("x-amz-target", target)]),
            _ => (target, Vec::new()),
        };
        let mut headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        headers.extend(who.token.iter().map(|token| ("x-amz-security-token".to_string(), token.clone())));
        let wire = Wire { method: method.into(), path: path.into(), headers, body: body.into() };
        let signer = Signer {
            access_key_id: who.access_key_id.clone(),
            secret: who.secret.clone(),
            service,
            at: SystemTime::now(),
        };
        self.exchange(&wire.signed(&signer, self.address())).await
    }

    /// Assumes a role as somebody, or as the operator.
    async fn assume(&self, who: Option<&Holder>, role: &str, members: &[(&str, &str)]) -> Result<Holder, String> {
        let arn = format!("arn:aws:iam::123456789012:role/{role}");
        let given = [("RoleArn", arn.as_str()), ("RoleSessionName", "tests")];
        let members: Vec<(&str, &str)> = given.iter().chain(members).copied().collect();
        let form = crate::world::form("AssumeRole", &members);
        let answer = match who {
            Some(who) => self.send_as(who, "sts", "POST", "", &form).await,
            None => self.exchange(&self.form("sts", &form)).await,
        };
        if answer.status != 200 {
            let message = element(&answer, "Message").replace("&apos;", "'");
            return Err(format!("{}: {message}", element(&answer, "Code")));
        }
        Ok(Holder {
            access_key_id: element(&answer, "AccessKeyId"),
            secret: element(&answer, "SecretAccessKey"),
            token: Some(element(&answer, "SessionToken")),
        })
    }
}

fn service(name: &str) -> &'static str {
    let known =
        ["lambda", "logs", "iam", "sts", "ssm", "cloudcontrolapi", "cloudformation", "s3", "ecr", "kms", "everstep"];
    known.into_iter().find(|known| *known == name).unwrap_or_else(|| panic!("{name}"))
}

#[tokio::test]
async fn every_operation_is_denied_to_who_has_no_policy_for_it() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "wait"}"#).await;
    let callback = world.callback_id(&arn).await;
    let nobody = world.user("nobody", None).await;
    let mut lines = Vec::new();
    for line in OPERATIONS.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(5, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (of, name, method, target, body) = (next(), next(), next(), next(), next());
        let target = target.replace("CALLBACK", &callback);
        let answer = world.send_as(&nobody, service(of), method, &target, body).await;
        lines.push(format!("{of} {name}: {}", refusal(&answer)));
    }
    assert_snapshot!(lines.join("\n"), @r"
    lambda CreateFunction: lambda:CreateFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:new because no identity-based policy allows the lambda:CreateFunction action
    lambda ListFunctions: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action
    lambda GetFunction: lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetFunction action
    lambda DeleteFunction: lambda:DeleteFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:DeleteFunction action
    lambda GetFunctionConfiguration: lambda:GetFunctionConfiguration on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetFunctionConfiguration action
    lambda UpdateFunctionConfiguration: lambda:UpdateFunctionConfiguration on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:UpdateFunctionConfiguration action
    lambda UpdateFunctionCode: lambda:UpdateFunctionCode on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:UpdateFunctionCode action
    lambda PublishVersion: lambda:PublishVersion on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:PublishVersion action
    lambda ListVersionsByFunction: lambda:ListVersionsByFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:ListVersionsByFunction action
    lambda CreateAlias: lambda:CreateAlias on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:CreateAlias action
    lambda ListAliases: lambda:ListAliases on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:ListAliases action
    lambda GetAlias: lambda:GetAlias on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetAlias action
    lambda UpdateAlias: lambda:UpdateAlias on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:UpdateAlias action
    lambda DeleteAlias: lambda:DeleteAlias on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:DeleteAlias action
    lambda AddPermission: lambda:AddPermission on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:AddPermission action
    lambda GetPolicy: lambda:GetPolicy on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetPolicy action
    lambda RemovePermission: lambda:RemovePermission on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:RemovePermission action
    lambda TagResource: lambda:TagResource on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:TagResource action
    lambda UntagResource: lambda:UntagResource on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:UntagResource action
    lambda ListTags: lambda:ListTags on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:ListTags action
    lambda GetAccountSettings: lambda:GetAccountSettings on resource: * because no identity-based policy allows the lambda:GetAccountSettings action
    lambda PutFunctionEventInvokeConfig: lambda:PutFunctionEventInvokeConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:PutFunctionEventInvokeConfig action
    lambda UpdateFunctionEventInvokeConfig: lambda:UpdateFunctionEventInvokeConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:UpdateFunctionEventInvokeConfig action
    lambda GetFunctionEventInvokeConfig: lambda:GetFunctionEventInvokeConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetFunctionEventInvokeConfig action
    lambda DeleteFunctionEventInvokeConfig: lambda:DeleteFunctionEventInvokeConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:DeleteFunctionEventInvokeConfig action
    lambda ListFunctionEventInvokeConfigs: lambda:ListFunctionEventInvokeConfigs on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:ListFunctionEventInvokeConfigs action
    lambda PutFunctionConcurrency: lambda:PutFunctionConcurrency on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:PutFunctionConcurrency action
    lambda GetFunctionConcurrency: lambda:GetFunctionConcurrency on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetFunctionConcurrency action
    lambda DeleteFunctionConcurrency: lambda:DeleteFunctionConcurrency on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:DeleteFunctionConcurrency action
    lambda CreateFunctionUrlConfig: lambda:CreateFunctionUrlConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:CreateFunctionUrlConfig action
    lambda GetFunctionUrlConfig: lambda:GetFunctionUrlConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetFunctionUrlConfig action
    lambda UpdateFunctionUrlConfig: lambda:UpdateFunctionUrlConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:UpdateFunctionUrlConfig action
    lambda DeleteFunctionUrlConfig: lambda:DeleteFunctionUrlConfig on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:DeleteFunctionUrlConfig action
    lambda ListFunctionUrlConfigs: lambda:ListFunctionUrlConfigs on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:ListFunctionUrlConfigs action
    lambda ListLayers: lambda:ListLayers on resource: * because no identity-based policy allows the lambda:ListLayers action
    lambda PublishLayerVersion: lambda:PublishLayerVersion on resource: arn:aws:lambda:us-east-1:123456789012:layer:layer because no identity-based policy allows the lambda:PublishLayerVersion action
    lambda ListLayerVersions: lambda:ListLayerVersions on resource: arn:aws:lambda:us-east-1:123456789012:layer:layer because no identity-based policy allows the lambda:ListLayerVersions action
    lambda GetLayerVersion: lambda:GetLayerVersion on resource: arn:aws:lambda:us-east-1:123456789012:layer:layer:1 because no identity-based policy allows the lambda:GetLayerVersion action
    lambda DeleteLayerVersion: lambda:DeleteLayerVersion on resource: arn:aws:lambda:us-east-1:123456789012:layer:layer:1 because no identity-based policy allows the lambda:DeleteLayerVersion action
    lambda AddLayerVersionPermission: lambda:AddLayerVersionPermission on resource: arn:aws:lambda:us-east-1:123456789012:layer:layer:1 because no identity-based policy allows the lambda:AddLayerVersionPermission action
    lambda GetLayerVersionPolicy: lambda:GetLayerVersionPolicy on resource: arn:aws:lambda:us-east-1:123456789012:layer:layer:1 because no identity-based policy allows the lambda:GetLayerVersionPolicy action
    lambda RemoveLayerVersionPermission: lambda:RemoveLayerVersionPermission on resource: arn:aws:lambda:us-east-1:123456789012:layer:layer:1 because no identity-based policy allows the lambda:RemoveLayerVersionPermission action
    lambda Invoke: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:InvokeFunction action
    lambda InvokeWithResponseStream: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:InvokeFunction action
    lambda ListDurableExecutionsByFunction: lambda:ListDurableExecutionsByFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:ListDurableExecutionsByFunction action
    lambda CheckpointDurableExecution: lambda:CheckpointDurableExecution on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:CheckpointDurableExecution action
    lambda GetDurableExecutionState: lambda:GetDurableExecutionState on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:GetDurableExecutionState action
    lambda GetDurableExecutionHistory: lambda:GetDurableExecutionHistory on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:GetDurableExecutionHistory action
    lambda StopDurableExecution: lambda:StopDurableExecution on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:StopDurableExecution action
    lambda PauseDurableExecution: lambda:PauseDurableExecution on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:PauseDurableExecution action
    lambda ResumeDurableExecution: lambda:ResumeDurableExecution on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:ResumeDurableExecution action
    lambda GetDurableExecution: lambda:GetDurableExecution on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:GetDurableExecution action
    lambda DeleteDurableExecution: lambda:DeleteDurableExecution on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/n/i because no identity-based policy allows the lambda:DeleteDurableExecution action
    lambda SendDurableExecutionCallbackSuccess: lambda:SendDurableExecutionCallbackSuccess on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid> because no identity-based policy allows the lambda:SendDurableExecutionCallbackSuccess action
    lambda SendDurableExecutionCallbackFailure: lambda:SendDurableExecutionCallbackFailure on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid> because no identity-based policy allows the lambda:SendDurableExecutionCallbackFailure action
    lambda SendDurableExecutionCallbackHeartbeat: lambda:SendDurableExecutionCallbackHeartbeat on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid> because no identity-based policy allows the lambda:SendDurableExecutionCallbackHeartbeat action
    lambda ListLayers: lambda:GetLayerVersion on resource: arn:aws:lambda:us-east-1:123456789012:layer:l:1 because no identity-based policy allows the lambda:GetLayerVersion action
    logs CreateLogGroup: logs:CreateLogGroup on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream: because no identity-based policy allows the logs:CreateLogGroup action
    logs DeleteLogGroup: logs:DeleteLogGroup on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream: because no identity-based policy allows the logs:DeleteLogGroup action
    logs DeleteRetentionPolicy: logs:DeleteRetentionPolicy on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream: because no identity-based policy allows the logs:DeleteRetentionPolicy action
    logs PutRetentionPolicy: logs:PutRetentionPolicy on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream: because no identity-based policy allows the logs:PutRetentionPolicy action
    logs DescribeLogGroups: logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream: because no identity-based policy allows the logs:DescribeLogGroups action
    logs DescribeLogStreams: logs:DescribeLogStreams on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream: because no identity-based policy allows the logs:DescribeLogStreams action
    logs FilterLogEvents: logs:FilterLogEvents on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream: because no identity-based policy allows the logs:FilterLogEvents action
    logs GetLogEvents: logs:GetLogEvents on resource: arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:s because no identity-based policy allows the logs:GetLogEvents action
    iam CreateRole: iam:CreateRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:CreateRole action
    iam GetRole: iam:GetRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:GetRole action
    iam ListRoles: iam:ListRoles on resource: * because no identity-based policy allows the iam:ListRoles action
    iam UpdateRole: iam:UpdateRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:UpdateRole action
    iam UpdateRoleDescription: iam:UpdateRoleDescription on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:UpdateRoleDescription action
    iam UpdateAssumeRolePolicy: iam:UpdateAssumeRolePolicy on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:UpdateAssumeRolePolicy action
    iam DeleteRole: iam:DeleteRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:DeleteRole action
    iam TagRole: iam:TagRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:TagRole action
    iam UntagRole: iam:UntagRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:UntagRole action
    iam ListRoleTags: iam:ListRoleTags on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:ListRoleTags action
    iam PutRolePolicy: iam:PutRolePolicy on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:PutRolePolicy action
    iam GetRolePolicy: iam:GetRolePolicy on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:GetRolePolicy action
    iam ListRolePolicies: iam:ListRolePolicies on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:ListRolePolicies action
    iam DeleteRolePolicy: iam:DeleteRolePolicy on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:DeleteRolePolicy action
    iam AttachRolePolicy: iam:AttachRolePolicy on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:AttachRolePolicy action
    iam DetachRolePolicy: iam:DetachRolePolicy on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:DetachRolePolicy action
    iam ListAttachedRolePolicies: iam:ListAttachedRolePolicies on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:ListAttachedRolePolicies action
    iam PutRolePermissionsBoundary: iam:PutRolePermissionsBoundary on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:PutRolePermissionsBoundary action
    iam DeleteRolePermissionsBoundary: iam:DeleteRolePermissionsBoundary on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:DeleteRolePermissionsBoundary action
    iam ListInstanceProfilesForRole: iam:ListInstanceProfilesForRole on resource: arn:aws:iam::123456789012:role/r because no identity-based policy allows the iam:ListInstanceProfilesForRole action
    iam CreateUser: iam:CreateUser on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:CreateUser action
    iam GetUser: iam:GetUser on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:GetUser action
    iam ListUsers: iam:ListUsers on resource: * because no identity-based policy allows the iam:ListUsers action
    iam DeleteUser: iam:DeleteUser on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:DeleteUser action
    iam TagUser: iam:TagUser on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:TagUser action
    iam UntagUser: iam:UntagUser on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:UntagUser action
    iam ListUserTags: iam:ListUserTags on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:ListUserTags action
    iam PutUserPolicy: iam:PutUserPolicy on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:PutUserPolicy action
    iam GetUserPolicy: iam:GetUserPolicy on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:GetUserPolicy action
    iam ListUserPolicies: iam:ListUserPolicies on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:ListUserPolicies action
    iam DeleteUserPolicy: iam:DeleteUserPolicy on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:DeleteUserPolicy action
    iam AttachUserPolicy: iam:AttachUserPolicy on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:AttachUserPolicy action
    iam DetachUserPolicy: iam:DetachUserPolicy on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:DetachUserPolicy action
    iam ListAttachedUserPolicies: iam:ListAttachedUserPolicies on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:ListAttachedUserPolicies action
    iam PutUserPermissionsBoundary: iam:PutUserPermissionsBoundary on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:PutUserPermissionsBoundary action
    iam DeleteUserPermissionsBoundary: iam:DeleteUserPermissionsBoundary on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:DeleteUserPermissionsBoundary action
    iam CreateAccessKey: iam:CreateAccessKey on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:CreateAccessKey action
    iam ListAccessKeys: iam:ListAccessKeys on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:ListAccessKeys action
    iam UpdateAccessKey: iam:UpdateAccessKey on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:UpdateAccessKey action
    iam DeleteAccessKey: iam:DeleteAccessKey on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:DeleteAccessKey action
    iam CreatePolicy: iam:CreatePolicy on resource: arn:aws:iam::123456789012:policy/q/p because no identity-based policy allows the iam:CreatePolicy action
    iam GetPolicy: iam:GetPolicy on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:GetPolicy action
    iam GetPolicyVersion: iam:GetPolicyVersion on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:GetPolicyVersion action
    iam CreatePolicyVersion: iam:CreatePolicyVersion on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:CreatePolicyVersion action
    iam SetDefaultPolicyVersion: iam:SetDefaultPolicyVersion on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:SetDefaultPolicyVersion action
    iam ListPolicies: iam:ListPolicies on resource: * because no identity-based policy allows the iam:ListPolicies action
    iam ListPolicyVersions: iam:ListPolicyVersions on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:ListPolicyVersions action
    iam DeletePolicy: iam:DeletePolicy on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:DeletePolicy action
    iam DeletePolicyVersion: iam:DeletePolicyVersion on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:DeletePolicyVersion action
    iam TagPolicy: iam:TagPolicy on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:TagPolicy action
    iam UntagPolicy: iam:UntagPolicy on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:UntagPolicy action
    iam ListPolicyTags: iam:ListPolicyTags on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:ListPolicyTags action
    iam ListEntitiesForPolicy: iam:ListEntitiesForPolicy on resource: arn:aws:iam::123456789012:policy/p because no identity-based policy allows the iam:ListEntitiesForPolicy action
    iam SimulateCustomPolicy: iam:SimulateCustomPolicy on resource: * because no identity-based policy allows the iam:SimulateCustomPolicy action
    iam SimulatePrincipalPolicy: iam:SimulatePrincipalPolicy on resource: arn:aws:iam::123456789012:user/u because no identity-based policy allows the iam:SimulatePrincipalPolicy action
    cloudcontrolapi GetResource: cloudformation:GetResource on resource: * because no identity-based policy allows the cloudformation:GetResource action
    ssm PutParameter: ssm:PutParameter on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:PutParameter action
    ssm GetParameter: ssm:GetParameter on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:GetParameter action
    ssm GetParameters: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a because no identity-based policy allows the ssm:GetParameters action
    ssm GetParametersByPath: ssm:GetParametersByPath on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a because no identity-based policy allows the ssm:GetParametersByPath action
    ssm GetParameterHistory: ssm:GetParameterHistory on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:GetParameterHistory action
    ssm DescribeParameters: ssm:DescribeParameters on resource: * because no identity-based policy allows the ssm:DescribeParameters action
    ssm DeleteParameter: ssm:DeleteParameter on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:DeleteParameter action
    ssm DeleteParameters: ssm:DeleteParameters on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a because no identity-based policy allows the ssm:DeleteParameters action
    ssm LabelParameterVersion: ssm:LabelParameterVersion on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:LabelParameterVersion action
    ssm UnlabelParameterVersion: ssm:UnlabelParameterVersion on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:UnlabelParameterVersion action
    ssm AddTagsToResource: ssm:AddTagsToResource on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:AddTagsToResource action
    ssm RemoveTagsFromResource: ssm:RemoveTagsFromResource on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:RemoveTagsFromResource action
    ssm ListTagsForResource: ssm:ListTagsForResource on resource: arn:aws:ssm:us-east-1:123456789012:parameter/a/b because no identity-based policy allows the ssm:ListTagsForResource action
    ecr CreateRepository: ecr:CreateRepository on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:CreateRepository action
    ecr DeleteRepository: ecr:DeleteRepository on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:DeleteRepository action
    ecr DescribeImages: ecr:DescribeImages on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:DescribeImages action
    ecr DescribeRepositories: ecr:DescribeRepositories on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:DescribeRepositories action
    ecr ListImages: ecr:ListImages on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:ListImages action
    ecr ListTagsForResource: ecr:ListTagsForResource on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:ListTagsForResource action
    ecr TagResource: ecr:TagResource on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:TagResource action
    ecr UntagResource: ecr:UntagResource on resource: arn:aws:ecr:us-east-1:123456789012:repository/r because no identity-based policy allows the ecr:UntagResource action
    kms CreateAlias: kms:CreateAlias on resource: arn:aws:kms:us-east-1:123456789012:alias/a because no identity-based policy allows the kms:CreateAlias action
    kms CreateKey: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action
    kms DeleteAlias: kms:DeleteAlias on resource: arn:aws:kms:us-east-1:123456789012:alias/a because no identity-based policy allows the kms:DeleteAlias action
    kms DescribeKey: kms:DescribeKey on resource: arn:aws:kms:us-east-1:123456789012:key/k because no identity-based policy allows the kms:DescribeKey action
    kms ListAliases: kms:ListAliases on resource: * because no identity-based policy allows the kms:ListAliases action
    kms ListKeys: kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action
    kms ListResourceTags: kms:ListResourceTags on resource: arn:aws:kms:us-east-1:123456789012:key/k because no identity-based policy allows the kms:ListResourceTags action
    kms ScheduleKeyDeletion: kms:ScheduleKeyDeletion on resource: arn:aws:kms:us-east-1:123456789012:key/k because no identity-based policy allows the kms:ScheduleKeyDeletion action
    kms UpdateAlias: kms:UpdateAlias on resource: arn:aws:kms:us-east-1:123456789012:alias/a because no identity-based policy allows the kms:UpdateAlias action
    cloudformation CancelUpdateStack: cloudformation:CancelUpdateStack on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:CancelUpdateStack action
    cloudformation ContinueUpdateRollback: cloudformation:ContinueUpdateRollback on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:ContinueUpdateRollback action
    cloudformation CreateChangeSet: cloudformation:CreateChangeSet on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:CreateChangeSet action
    cloudformation CreateStack: cloudformation:CreateStack on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:CreateStack action
    cloudformation DeleteChangeSet: cloudformation:DeleteChangeSet on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DeleteChangeSet action
    cloudformation DeleteStack: cloudformation:DeleteStack on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DeleteStack action
    cloudformation DescribeChangeSet: cloudformation:DescribeChangeSet on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DescribeChangeSet action
    cloudformation DescribeEvents: cloudformation:DescribeEvents on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DescribeEvents action
    cloudformation DescribeStackEvents: cloudformation:DescribeStackEvents on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DescribeStackEvents action
    cloudformation DescribeStackResource: cloudformation:DescribeStackResource on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DescribeStackResource action
    cloudformation DescribeStackResources: cloudformation:DescribeStackResources on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DescribeStackResources action
    cloudformation DescribeStacks: cloudformation:DescribeStacks on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:DescribeStacks action
    cloudformation ExecuteChangeSet: cloudformation:ExecuteChangeSet on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:ExecuteChangeSet action
    cloudformation GetStackPolicy: cloudformation:GetStackPolicy on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:GetStackPolicy action
    cloudformation GetTemplate: cloudformation:GetTemplate on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:GetTemplate action
    cloudformation GetTemplateSummary: cloudformation:GetTemplateSummary on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:GetTemplateSummary action
    cloudformation ListChangeSets: cloudformation:ListChangeSets on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:ListChangeSets action
    cloudformation ListExports: cloudformation:ListExports on resource: * because no identity-based policy allows the cloudformation:ListExports action
    cloudformation ListHookResults: cloudformation:ListHookResults on resource: * because no identity-based policy allows the cloudformation:ListHookResults action
    cloudformation ListImports: cloudformation:ListImports on resource: * because no identity-based policy allows the cloudformation:ListImports action
    cloudformation ListStackResources: cloudformation:ListStackResources on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:ListStackResources action
    cloudformation ListStacks: cloudformation:ListStacks on resource: * because no identity-based policy allows the cloudformation:ListStacks action
    cloudformation UpdateStack: cloudformation:UpdateStack on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:UpdateStack action
    cloudformation UpdateTerminationProtection: cloudformation:UpdateTerminationProtection on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/s/* because no identity-based policy allows the cloudformation:UpdateTerminationProtection action
    cloudformation ValidateTemplate: cloudformation:ValidateTemplate on resource: * because no identity-based policy allows the cloudformation:ValidateTemplate action
    everstep ListKeys: everstep:ListKeys on resource: *
    everstep CreateKey: everstep:CreateKey on resource: *
    everstep RevokeKey: everstep:RevokeKey on resource: *
    everstep GetClock: everstep:GetClock on resource: *
    everstep AdvanceClock: everstep:AdvanceClock on resource: *
    everstep AdvanceClockToNextWakeUp: everstep:AdvanceClockToNextWakeUp on resource: *
    everstep GetBackup: everstep:GetBackup on resource: *
    ");
}

#[tokio::test]
async fn policies_hold_at_once_and_an_explicit_deny_wins() {
    let world = World::with_functions(300).await;
    let ann = world.user("ann", None).await;
    let get = |function: &'static str| {
        let (world, ann) = (&world, &ann);
        async move {
            let path = format!("/2015-03-31/functions/{function}");
            refusal(&world.send_as(ann, "lambda", "GET", &path, "").await)
        }
    };
    let mut lines = vec![get("plain").await];
    world.put_user_policy("ann", &allow(&["lambda:Get*"], &["arn:aws:lambda:*:*:function:p*"])).await;
    lines.extend([get("plain").await, get("durable").await]);
    let deny = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "lambda:GetFunction", "Resource": "*:plain"},
    ]});
    let refused = world
        .iam("PutUserPolicy", &[("UserName", "ann"), ("PolicyName", "p"), ("PolicyDocument", &deny.to_string())])
        .await;
    lines.push(element(&refused, "Message"));
    let deny = deny.to_string().replace("*:plain", "arn:aws:lambda:*:*:function:plain");
    world.put_user_policy("ann", &deny).await;
    lines.extend([get("plain").await, get("durable").await]);
    let boundary = [("UserName", "ann"), ("PermissionsBoundary", "arn:aws:iam::aws:policy/AmazonS3FullAccess")];
    world.iam("PutUserPermissionsBoundary", &boundary).await;
    lines.push(get("durable").await);
    world
        .iam("UpdateAccessKey", &[("UserName", "ann"), ("AccessKeyId", &ann.access_key_id), ("Status", "Inactive")])
        .await;
    lines.push(get("durable").await);
    assert_snapshot!(lines.join("\n"), @r"
    lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no identity-based policy allows the lambda:GetFunction action
    allowed (200)
    lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:durable because no identity-based policy allows the lambda:GetFunction action
    Resource *:plain must be in ARN format or &quot;*&quot;.
    lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain with an explicit deny in an identity-based policy
    allowed (200)
    lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:durable because no permissions boundary allows the lambda:GetFunction action
    The security token included in the request is invalid.
    ");
}

#[tokio::test]
async fn sessions_have_what_their_role_and_their_policies_both_give() {
    let world = World::with_functions(300).await;
    let trusting = |principal: Value| {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        json!({"Version": "2012-10-17", "Statement": statement}).to_string()
    };
    let create = |name: &'static str, trust: String| {
        let world = &world;
        async move {
            world.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).await;
            let policy = allow(&["lambda:Get*", "lambda:List*"], &["*"]);
            world.iam("PutRolePolicy", &[("RoleName", name), ("PolicyName", "p"), ("PolicyDocument", &policy)]).await;
        }
    };
    create("open", trusting(json!({"AWS": "123456789012"}))).await;
    create("service", trust("lambda.amazonaws.com")).await;
    let ann = world.user("ann", None).await;
    create("ann", trusting(json!({"AWS": "arn:aws:iam::123456789012:user/ann"}))).await;
    let bob = world.user("bob", Some(&allow(&["sts:AssumeRole"], &["arn:aws:iam::123456789012:role/open"]))).await;
    let narrow = allow(&["lambda:List*"], &["*"]);
    let mut lines = Vec::new();
    for (who, role, members) in [
        (None, "open", vec![]),
        (None, "service", vec![]),
        (None, "missing", vec![]),
        (None, "open", vec![("Policy", narrow.as_str())]),
        (None, "open", vec![("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess")]),
        (None, "open", vec![("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/Nothing")]),
        (None, "open", vec![("Policy", "{}")]),
        (None, "open", vec![("DurationSeconds", "3601")]),
        (None, "open", vec![("DurationSeconds", "899")]),
        (None, "open", vec![("DurationSeconds", "900")]),
        (Some(&ann), "ann", vec![]),
        (Some(&ann), "open", vec![]),
        (Some(&bob), "open", vec![]),
        (Some(&bob), "ann", vec![]),
    ] {
        let line = match world.assume(who, role, &members).await {
            Err(error) => error,
            Ok(session) => {
                let mut told = Vec::new();
                for path in ["functions/plain", "functions"] {
                    let path = format!("/2015-03-31/{path}");
                    told.push(refusal(&world.send_as(&session, "lambda", "GET", &path, "").await));
                }
                told.join(" | ")
            }
        };
        lines.push(format!("{role}: {line}"));
    }
    assert_snapshot!(lines.join("\n"), @r"
    open: allowed (200) | allowed (200)
    service: AccessDenied: User: arn:aws:iam::123456789012:root is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/service because no role trust policy allows the sts:AssumeRole action
    missing: AccessDenied: User: arn:aws:iam::123456789012:root is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/missing
    open: lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain because no session policy allows the lambda:GetFunction action | allowed (200)
    open: allowed (200) | allowed (200)
    open: ValidationError: The specified policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.
    open: MalformedPolicyDocument: Syntax errors in policy.
    open: ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.
    open: ValidationError: 1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900
    open: allowed (200) | allowed (200)
    ann: allowed (200) | allowed (200)
    open: AccessDenied: User: arn:aws:iam::123456789012:user/ann is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/open because no identity-based policy allows the sts:AssumeRole action
    open: allowed (200) | allowed (200)
    ann: AccessDenied: User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/ann because no role trust policy allows the sts:AssumeRole action
    ");
}

#[tokio::test]
async fn sessions_survive_a_restart_and_end_with_their_role_or_their_lender() {
    let world = World::with_functions(300).await;
    let principal = json!({"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": principal}).to_string();
    let policy = allow(&["lambda:*"], &["*"]);
    let create = [("RoleName", "r"), ("AssumeRolePolicyDocument", &*trust)];
    let put = [("RoleName", "r"), ("PolicyName", "p"), ("PolicyDocument", &*policy)];
    world.iam("CreateRole", &create).await;
    world.iam("PutRolePolicy", &put).await;
    let session = world.assume(None, "r", &[]).await.unwrap_or_else(|error| panic!("{error}"));
    let ann = world.user("ann", Some(&policy)).await;
    let lent = world.send_as(&ann, "sts", "POST", "", "Action=GetSessionToken").await;
    let lent = Holder {
        access_key_id: element(&lent, "AccessKeyId"),
        secret: element(&lent, "SecretAccessKey"),
        token: Some(element(&lent, "SessionToken")),
    };
    let world = world.restarted().await;
    let get = async |world: &World, who: &Holder| {
        refusal(&world.send_as(who, "lambda", "GET", "/2015-03-31/functions/plain", "").await)
    };
    assert_eq!(get(&world, &session).await, "allowed (200)");
    assert_eq!(get(&world, &lent).await, "allowed (200)");
    let again = world.send_as(&lent, "sts", "POST", "", "Action=GetSessionToken").await;
    assert_eq!(element(&again, "Message"), "Cannot call GetSessionToken with session credentials");
    let without = Holder { token: None, ..session.clone() };
    assert_eq!(get(&world, &without).await, "The security token included in the request is invalid.");
    world.iam("DeleteAccessKey", &[("UserName", "ann"), ("AccessKeyId", &ann.access_key_id)]).await;
    assert_eq!(get(&world, &lent).await, "The security token included in the request is invalid.");
    // A role that is made anew is another one.
    world.iam("DeleteRolePolicy", &put[..2]).await;
    world.iam("DeleteRole", &create[..1]).await;
    world.iam("CreateRole", &create).await;
    world.iam("PutRolePolicy", &put).await;
    let refused = get(&world, &session).await;
    assert!(refused.contains("because no identity-based policy allows"), "{refused}");
}

#[tokio::test]
async fn whoever_deploys_must_be_allowed_to_pass_the_role() {
    let world = World::new().await;
    let ann = world.user("ann", Some(&allow(&["lambda:*"], &["*"]))).await;
    let create = function("f").to_string();
    let refused = world.send_as(&ann, "lambda", "POST", "/2015-03-31/functions", &create).await;
    assert_eq!(
        refusal(&refused),
        "iam:PassRole on resource: arn:aws:iam::123456789012:role/everstep because no identity-based policy allows the iam:PassRole action"
    );
    let pass = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}},
    ]});
    world.put_user_policy("ann", &pass.to_string()).await;
    assert_eq!(world.send_as(&ann, "lambda", "POST", "/2015-03-31/functions", &create).await.status, 201);
}

#[tokio::test]
async fn the_policy_of_a_function_lets_others_in() {
    let world = World::with_functions(300).await;
    let ann = world.user("ann", None).await;
    let permission = json!({"StatementId": "ann", "Action": "lambda:InvokeFunction", "Principal": "arn:aws:iam::123456789012:user/ann"});
    world.post("/2015-03-31/functions/plain/policy", permission.to_string()).await;
    let invoke = async |function: &str| {
        let path = format!("/2015-03-31/functions/{}/invocations", escaped(function));
        refusal(&world.send_as(&ann, "lambda", "POST", &path, r#"{"do": "echo"}"#).await)
    };
    assert_eq!(invoke("plain").await, "allowed (200)");
    let qualified = invoke("plain:$LATEST").await;
    assert!(
        qualified.starts_with(
            "lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:plain:$LATEST because"
        ),
        "{qualified}"
    );
    assert!(invoke("durable:$LATEST").await.contains("because no identity-based policy allows"));
}

#[tokio::test]
async fn function_whose_role_may_not_invoke_a_destination_cannot_have_it() {
    let world = World::with_functions(300).await;
    world.create_role("bare").await;
    let mut create = function("f");
    create["Role"] = "arn:aws:iam::123456789012:role/bare".into();
    world.create(create).await;
    let target = "arn:aws:lambda:us-east-1:123456789012:function:plain";
    let config = json!({"DestinationConfig": {"OnFailure": {"Destination": target}}}).to_string();
    let put = async || world.send("PUT", "/2019-09-25/functions/f/event-invoke-config", &[], config.as_str()).await;
    let message = format!("The function's execution role does not have permissions to call InvokeFunction on {target}");
    assert_eq!(put().await.line(), format!("400 InvalidParameterValueException: {message}"));
    let policy = allow(&["lambda:InvokeFunction"], &[target]);
    world.iam("PutRolePolicy", &[("RoleName", "bare"), ("PolicyName", "p"), ("PolicyDocument", &policy)]).await;
    assert_eq!(put().await.status, 200);
}

#[tokio::test]
async fn stacks_are_made_with_the_rights_of_their_role() {
    let world = World::new().await;
    let ann = world.user("ann", Some(&allow(&["cloudformation:*"], &["*"]))).await;
    let role = "arn:aws:iam::123456789012:role/cdk-hnb659fds-cfn-exec-role-123456789012-us-east-1";
    let body = json!({"Resources": {"F": {"Type": "AWS::CDK::Metadata"}}}).to_string();
    let create = |role: &str| {
        crate::world::form("CreateStack", &[("StackName", "s"), ("TemplateBody", &body), ("RoleARN", role)])
    };
    let refused = world.send_as(&ann, "cloudformation", "POST", "", &create(role)).await;
    assert!(refusal(&refused).starts_with(&format!("iam:PassRole on resource: {role} because")), "{refused:?}");
    let everstep = "arn:aws:iam::123456789012:role/everstep";
    let not_trusting = world.exchange(&world.form("cloudformation", &create(everstep))).await;
    assert_eq!(element(&not_trusting, "Message"), format!("Role {everstep} is invalid or cannot be assumed"));
}

#[tokio::test]
async fn executions_of_others_are_named_by_their_arn() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "wait"}"#).await;
    world.callback_id(&arn).await;
    let qualified = "arn:aws:lambda:us-east-1:123456789012:function:durable:*";
    let ann = world.user("ann", Some(&allow(&["lambda:GetDurableExecution"], &[qualified]))).await;
    let bare = "arn:aws:lambda:us-east-1:123456789012:function:durable";
    let bob = world.user("bob", Some(&allow(&["lambda:GetDurableExecution"], &[bare]))).await;
    let get = async |who: &Holder| world.send_as(who, "lambda", "GET", &execution(&arn), "").await.status;
    assert_eq!((get(&ann).await, get(&bob).await), (200, 403));
}

#[tokio::test]
async fn code_and_templates_come_from_objects_that_their_sender_may_read() {
    let world = World::with_functions(300).await;
    let ann = world.user("ann", None).await;
    let update = async |policy: &str| {
        world.put_user_policy("ann", policy).await;
        let body = json!({"S3Bucket": "b", "S3Key": "k"}).to_string();
        let code = world.send_as(&ann, "lambda", "PUT", "/2015-03-31/functions/plain/code", &body).await;
        let template = format!("Action=ValidateTemplate&TemplateURL=http://{}/b/k", world.address());
        let template = world.send_as(&ann, "cloudformation", "POST", "/", &template).await;
        format!("{}\n{}", code.line(), element(&template, "Message"))
    };
    let others = ["lambda:*", "cloudformation:*"];
    let denied = update(&allow(&others, &["*"])).await;
    let allowed = update(&allow(&["lambda:*", "cloudformation:*", "s3:GetObject"], &["*"])).await;
    assert_snapshot!(redacted(&format!("{denied}\n{allowed}")), @r"
    403 AccessDeniedException: Your access has been denied by S3, please make sure your request credentials have permission to GetObject for b/k. S3 Error Code: AccessDenied. S3 Error Message: Access Denied
    S3 error: Access Denied. TemplateURL: http://<address>/b/k
    400 InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist
    S3 error: no bucket `b`. TemplateURL: http://<address>/b/k
    ");
}
