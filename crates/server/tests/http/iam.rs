//! IAM: roles, users and policies, and the roles that functions may have.

use everstep_store::sqlite::Sqlite;
use everstep_store::{Catalog, Kind};
use insta::assert_snapshot;
use serde_json::json;

use crate::world::{Answer, World, allow, form, function, trust};

/// Returns status, exception and message of an answer, or what is in some of its elements.
fn line(answer: &Answer, elements: &[&str]) -> String {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let of = |element: &str| {
        let (_, rest) = text.split_once(&format!("<{element}>"))?;
        Some(crate::world::redacted(rest.split_once(&format!("</{element}>"))?.0))
    };
    let shown: Vec<String> = ["Code", "Message"].iter().chain(elements).filter_map(|element| of(element)).collect();
    format!("{} {}", answer.status, shown.join(" | ")).trim_end().to_string()
}

/// A form: the operation, its members, and elements of the answer that are worth a look.
type Form<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

/// Sends one form after the other, and shows what came of each.
async fn check(world: &World, forms: &[Form<'_>]) -> String {
    let mut lines = Vec::new();
    for (action, members, elements) in forms {
        lines.push(format!("{action}: {}", line(&world.iam(action, members).await, elements)));
    }
    lines.join("\n")
}

const ARN: &str = "arn:aws:iam::123456789012:";
const BASIC: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

#[tokio::test]
async fn roles_have_a_life() {
    let world = World::new().await;
    let (lambda, events) = (trust("lambda.amazonaws.com"), trust("events.amazonaws.com"));
    let policy = allow(&["s3:GetObject"], &["*"]);
    let named = ("RoleName", "r");
    let lines = check(
        &world,
        &[
            ("GetRole", &[named], &[]),
            ("CreateRole", &[named], &[]),
            ("CreateRole", &[named, ("AssumeRolePolicyDocument", "{")], &[]),
            ("CreateRole", &[named, ("AssumeRolePolicyDocument", &policy)], &[]),
            ("CreateRole", &[("RoleName", "a b"), ("AssumeRolePolicyDocument", &lambda)], &[]),
            ("CreateRole", &[named, ("AssumeRolePolicyDocument", &lambda), ("Path", "p")], &[]),
            ("CreateRole", &[named, ("AssumeRolePolicyDocument", &lambda), ("MaxSessionDuration", "3599")], &[]),
            ("CreateRole", &[named, ("AssumeRolePolicyDocument", &lambda), ("MaxSessionDuration", "43201")], &[]),
            (
                "CreateRole",
                &[
                    named,
                    ("AssumeRolePolicyDocument", &lambda),
                    ("Path", "/p/"),
                    ("MaxSessionDuration", "43200"),
                    ("Description", "d"),
                    ("Tags.member.1.Key", "k"),
                    ("Tags.member.1.Value", "v"),
                ],
                &["Arn", "MaxSessionDuration", "Description", "Tags"],
            ),
            ("CreateRole", &[named, ("AssumeRolePolicyDocument", &lambda)], &[]),
            ("UpdateRole", &[named, ("Description", "e"), ("MaxSessionDuration", "3600")], &[]),
            ("UpdateAssumeRolePolicy", &[named, ("PolicyDocument", &events)], &[]),
            ("TagRole", &[named, ("Tags.member.1.Key", "l"), ("Tags.member.1.Value", "w")], &[]),
            ("UntagRole", &[named, ("TagKeys.member.1", "k")], &[]),
            ("GetRole", &[named], &["Arn", "MaxSessionDuration", "Description", "Tags", "AssumeRolePolicyDocument"]),
            ("ListRoles", &[("PathPrefix", "/p/")], &["RoleName", "IsTruncated"]),
            ("PutRolePolicy", &[named, ("PolicyName", "own"), ("PolicyDocument", &events)], &[]),
            ("PutRolePolicy", &[named, ("PolicyName", "own"), ("PolicyDocument", &policy)], &[]),
            ("GetRolePolicy", &[named, ("PolicyName", "own")], &["RoleName", "PolicyDocument"]),
            ("GetRolePolicy", &[named, ("PolicyName", "other")], &[]),
            ("ListRolePolicies", &[named], &["PolicyNames"]),
            ("DeleteRole", &[named], &[]),
            ("DeleteRolePolicy", &[named, ("PolicyName", "own")], &[]),
            ("DeleteRolePolicy", &[named, ("PolicyName", "own")], &[]),
            ("AttachRolePolicy", &[named, ("PolicyArn", BASIC)], &[]),
            ("AttachRolePolicy", &[named, ("PolicyArn", "arn:aws:iam::aws:policy/Nothing")], &[]),
            ("ListAttachedRolePolicies", &[named], &["PolicyName", "PolicyArn"]),
            ("ListEntitiesForPolicy", &[("PolicyArn", BASIC)], &["RoleName"]),
            ("PutRolePermissionsBoundary", &[named, ("PermissionsBoundary", BASIC)], &[]),
            ("GetRole", &[named], &["PermissionsBoundaryArn"]),
            ("DeleteRolePermissionsBoundary", &[named], &[]),
            ("DeleteRolePermissionsBoundary", &[named], &[]),
            ("DeleteRole", &[named], &[]),
            ("DetachRolePolicy", &[named, ("PolicyArn", BASIC)], &[]),
            ("DetachRolePolicy", &[named, ("PolicyArn", BASIC)], &[]),
            ("ListInstanceProfilesForRole", &[named], &["InstanceProfiles"]),
            ("DeleteRole", &[named], &[]),
            ("DeleteRole", &[named], &[]),
            ("ListGroups", &[], &[]),
        ],
    )
    .await;
    assert_snapshot!(lines, @r"
    GetRole: 404 NoSuchEntity | The role with name r cannot be found.
    CreateRole: 400 ValidationError | 1 validation error detected: Value null at &apos;assumeRolePolicyDocument&apos; failed to satisfy constraint: Member must not be null
    CreateRole: 400 MalformedPolicyDocument | Syntax errors in policy.
    CreateRole: 400 MalformedPolicyDocument | Missing required field Principal
    CreateRole: 400 ValidationError | 1 validation error detected: Value &apos;a b&apos; at &apos;roleName&apos; failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+
    CreateRole: 400 ValidationError | 1 validation error detected: Value &apos;p&apos; at &apos;path&apos; failed to satisfy constraint: Member must satisfy regular expression pattern: (\u002F)|(\u002F[\u0021-\u007E]+\u002F)
    CreateRole: 400 ValidationError | 1 validation error detected: Value &apos;3599&apos; at &apos;maxSessionDuration&apos; failed to satisfy constraint: Member must have value greater than or equal to 3600
    CreateRole: 400 ValidationError | 1 validation error detected: Value &apos;43201&apos; at &apos;maxSessionDuration&apos; failed to satisfy constraint: Member must have value less than or equal to 43200
    CreateRole: 200 arn:aws:iam::123456789012:role/p/r | 43200 | d | <member><Key>k</Key><Value>v</Value></member>
    CreateRole: 409 EntityAlreadyExists | Role with name r already exists.
    UpdateRole: 200
    UpdateAssumeRolePolicy: 200
    TagRole: 200
    UntagRole: 200
    GetRole: 200 arn:aws:iam::123456789012:role/p/r | 3600 | e | <member><Key>l</Key><Value>w</Value></member> | %7B%22Statement%22%3A%5B%7B%22Action%22%3A%22sts%3AAssumeRole%22%2C%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22events%2Eamazonaws%2Ecom%22%7D%7D%5D%2C%22Version%22%3A%222012%2D10%2D17%22%7D
    ListRoles: 200 r | false
    PutRolePolicy: 400 MalformedPolicyDocument | Policy document should not specify a principal.
    PutRolePolicy: 200
    GetRolePolicy: 200 r | %7B%22Statement%22%3A%5B%7B%22Action%22%3A%5B%22s3%3AGetObject%22%5D%2C%22Effect%22%3A%22Allow%22%2C%22Resource%22%3A%5B%22%2A%22%5D%7D%5D%2C%22Version%22%3A%222012%2D10%2D17%22%7D
    GetRolePolicy: 404 NoSuchEntity | The role policy with name other cannot be found.
    ListRolePolicies: 200 <member>own</member>
    DeleteRole: 409 DeleteConflict | Cannot delete entity, must delete policies first.
    DeleteRolePolicy: 200
    DeleteRolePolicy: 404 NoSuchEntity | The role policy with name own cannot be found.
    AttachRolePolicy: 200
    AttachRolePolicy: 404 NoSuchEntity | Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.
    ListAttachedRolePolicies: 200 AWSLambdaBasicExecutionRole | arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
    ListEntitiesForPolicy: 200 r
    PutRolePermissionsBoundary: 200
    GetRole: 200 arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
    DeleteRolePermissionsBoundary: 200
    DeleteRolePermissionsBoundary: 404 NoSuchEntity | role r has no permissions boundary.
    DeleteRole: 409 DeleteConflict | Cannot delete entity, must detach all policies first.
    DetachRolePolicy: 200
    DetachRolePolicy: 404 NoSuchEntity | Policy arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole was not found.
    ListInstanceProfilesForRole: 200
    DeleteRole: 200
    DeleteRole: 404 NoSuchEntity | The role with name r cannot be found.
    ListGroups: 501 NotImplemented | Everstep does not serve ListGroups of IAM.
    ");
}

#[tokio::test]
async fn policies_have_versions() {
    let world = World::new().await;
    world.create_role("r").await;
    let policy = allow(&["s3:GetObject"], &["*"]);
    let arn = format!("{ARN}policy/p");
    let (named, of) = (("PolicyName", "p"), ("PolicyArn", &*arn));
    let role = ("RoleName", "r");
    let version = ("PolicyDocument", &*policy);
    let lines = check(
        &world,
        &[
            ("CreatePolicy", &[named, ("PolicyDocument", "[]")], &[]),
            ("CreatePolicy", &[named, version], &["Arn", "DefaultVersionId"]),
            ("CreatePolicy", &[named, version], &[]),
            ("CreatePolicyVersion", &[of, version, ("SetAsDefault", "true")], &["VersionId", "IsDefaultVersion"]),
            ("CreatePolicyVersion", &[of, version], &["VersionId", "IsDefaultVersion"]),
            ("CreatePolicyVersion", &[of, version], &["VersionId"]),
            ("CreatePolicyVersion", &[of, version], &["VersionId"]),
            ("CreatePolicyVersion", &[of, version], &[]),
            ("SetDefaultPolicyVersion", &[of, ("VersionId", "v5")], &[]),
            ("SetDefaultPolicyVersion", &[of, ("VersionId", "v6")], &[]),
            ("DeletePolicyVersion", &[of, ("VersionId", "v5")], &[]),
            ("GetPolicyVersion", &[of, ("VersionId", "v5")], &["IsDefaultVersion", "Document"]),
            ("AttachRolePolicy", &[role, of], &[]),
            ("GetPolicy", &[of], &["DefaultVersionId", "AttachmentCount"]),
            ("DeletePolicy", &[of], &[]),
            ("DetachRolePolicy", &[role, of], &[]),
            ("DeletePolicy", &[of], &[]),
            ("DeletePolicyVersion", &[of, ("VersionId", "v1")], &[]),
            ("DeletePolicyVersion", &[of, ("VersionId", "v2")], &[]),
            ("DeletePolicyVersion", &[of, ("VersionId", "v3")], &[]),
            ("DeletePolicyVersion", &[of, ("VersionId", "v4")], &[]),
            ("ListPolicies", &[("Scope", "Local")], &["PolicyName"]),
            ("DeletePolicy", &[of], &[]),
            ("GetPolicy", &[of], &[]),
            ("GetPolicyVersion", &[("PolicyArn", BASIC), ("VersionId", "v1")], &["VersionId"]),
            ("DeletePolicy", &[("PolicyArn", BASIC)], &[]),
        ],
    )
    .await;
    assert_snapshot!(lines, @r"
    CreatePolicy: 400 MalformedPolicyDocument | Syntax errors in policy.
    CreatePolicy: 200 arn:aws:iam::123456789012:policy/p | v1
    CreatePolicy: 409 EntityAlreadyExists | A policy called p already exists. Duplicate names are not allowed.
    CreatePolicyVersion: 200 v2 | true
    CreatePolicyVersion: 200 v3 | false
    CreatePolicyVersion: 200 v4
    CreatePolicyVersion: 200 v5
    CreatePolicyVersion: 409 LimitExceeded | A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.
    SetDefaultPolicyVersion: 200
    SetDefaultPolicyVersion: 404 NoSuchEntity | Policy arn:aws:iam::123456789012:policy/p version v6 does not exist or is not attachable.
    DeletePolicyVersion: 409 DeleteConflict | Cannot delete the default version of a policy.
    GetPolicyVersion: 200 true | %7B%22Statement%22%3A%5B%7B%22Action%22%3A%5B%22s3%3AGetObject%22%5D%2C%22Effect%22%3A%22Allow%22%2C%22Resource%22%3A%5B%22%2A%22%5D%7D%5D%2C%22Version%22%3A%222012%2D10%2D17%22%7D
    AttachRolePolicy: 200
    GetPolicy: 200 v5 | 1
    DeletePolicy: 409 DeleteConflict | Cannot delete a policy attached to entities.
    DetachRolePolicy: 200
    DeletePolicy: 409 DeleteConflict | This policy has more than one version. Before you delete a policy, you must delete the policy&apos;s versions. The default version is deleted with the policy.
    DeletePolicyVersion: 200
    DeletePolicyVersion: 200
    DeletePolicyVersion: 200
    DeletePolicyVersion: 200
    ListPolicies: 200 p
    DeletePolicy: 200
    GetPolicy: 404 NoSuchEntity | Policy arn:aws:iam::123456789012:policy/p was not found.
    GetPolicyVersion: 200 v1
    DeletePolicy: 403 AccessDenied | AWS managed policies cannot be changed.
    ");
}

#[tokio::test]
async fn users_have_policies_and_two_keys_at_most() {
    let world = World::new().await;
    let policy = allow(&["s3:GetObject"], &["*"]);
    let named = ("UserName", "ann");
    let lines = check(
        &world,
        &[
            ("GetUser", &[], &["Arn"]),
            ("CreateAccessKey", &[], &[]),
            ("CreateAccessKey", &[named], &[]),
            ("CreateUser", &[named], &["Arn"]),
            ("CreateUser", &[named], &[]),
            ("PutUserPolicy", &[named, ("PolicyName", "own"), ("PolicyDocument", &policy)], &[]),
            ("AttachUserPolicy", &[named, ("PolicyArn", BASIC)], &[]),
            ("CreateAccessKey", &[named], &["Status"]),
            ("CreateAccessKey", &[named], &["Status"]),
            ("CreateAccessKey", &[named], &[]),
            ("DeleteUser", &[named], &[]),
            ("ListUsers", &[], &["UserName"]),
        ],
    )
    .await;
    assert_snapshot!(lines, @r"
    GetUser: 200 arn:aws:iam::123456789012:root
    CreateAccessKey: 400 ValidationError | Must specify userName: the keys of the operator are managed by `everstep keys`.
    CreateAccessKey: 404 NoSuchEntity | The user with name ann cannot be found.
    CreateUser: 200 arn:aws:iam::123456789012:user/ann
    CreateUser: 409 EntityAlreadyExists | User with name ann already exists.
    PutUserPolicy: 200
    AttachUserPolicy: 200
    CreateAccessKey: 200 Active
    CreateAccessKey: 200 Active
    CreateAccessKey: 409 LimitExceeded | Cannot exceed quota for AccessKeysPerUser: 2
    DeleteUser: 409 DeleteConflict | Cannot delete entity, must delete access keys first.
    ListUsers: 200 ann
    ");
    let keys = String::from_utf8(world.iam("ListAccessKeys", &[named]).await.body).unwrap();
    let ids: Vec<&str> = keys.split("<AccessKeyId>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    let lines = check(
        &world,
        &[
            ("UpdateAccessKey", &[named, ("AccessKeyId", ids[0]), ("Status", "Off")], &[]),
            ("UpdateAccessKey", &[named, ("AccessKeyId", ids[0]), ("Status", "Inactive")], &[]),
            ("DeleteAccessKey", &[named, ("AccessKeyId", ids[0])], &[]),
            ("DeleteAccessKey", &[("UserName", "bob"), ("AccessKeyId", ids[1])], &[]),
            ("DeleteAccessKey", &[named, ("AccessKeyId", ids[1])], &[]),
            ("DeleteUser", &[named], &[]),
            ("DetachUserPolicy", &[named, ("PolicyArn", BASIC)], &[]),
            ("DeleteUser", &[named], &[]),
            ("DeleteUserPolicy", &[named, ("PolicyName", "own")], &[]),
            ("DeleteUser", &[named], &[]),
        ],
    )
    .await
    .replace(ids[1], "<id>");
    assert_snapshot!(lines, @r"
    UpdateAccessKey: 400 ValidationError | 1 validation error detected: Value &apos;Off&apos; at &apos;status&apos; failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]
    UpdateAccessKey: 200
    DeleteAccessKey: 200
    DeleteAccessKey: 404 NoSuchEntity | The Access Key with id <id> cannot be found.
    DeleteAccessKey: 200
    DeleteUser: 409 DeleteConflict | Cannot delete entity, must detach all policies first.
    DetachUserPolicy: 200
    DeleteUser: 409 DeleteConflict | Cannot delete entity, must delete policies first.
    DeleteUserPolicy: 200
    DeleteUser: 200
    ");
}

#[tokio::test]
async fn limits_are_kept() {
    let world = World::new().await;
    world.create_role("r").await;
    world.iam("CreateUser", &[("UserName", "u")]).await;
    let role = ("RoleName", "r");
    // A policy of so many characters.
    let of = |characters: usize| {
        let rest = characters - allow(&["s3:Get"], &["arn:aws:s3:::"]).len();
        allow(&["s3:Get"], &[&format!("arn:aws:s3:::{}", "b".repeat(rest))])
    };
    let trust_of = |characters: usize| {
        let with = |id: &str| {
            let statement = json!({"Sid": id, "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
            json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
        };
        with(&"s".repeat(characters - with("").len()))
    };
    let long = |length: usize| "n".repeat(length);
    let lambda = trust("lambda.amazonaws.com");
    let cases = vec![
        (
            "PutRolePolicy",
            vec![("RoleName", "r".into()), ("PolicyName", "a".into()), ("PolicyDocument", of(10_240))],
            200,
        ),
        (
            "PutRolePolicy",
            vec![("RoleName", "r".into()), ("PolicyName", "a".into()), ("PolicyDocument", of(10_241))],
            409,
        ),
        (
            "PutUserPolicy",
            vec![("UserName", "u".into()), ("PolicyName", "a".into()), ("PolicyDocument", of(2_048))],
            200,
        ),
        (
            "PutUserPolicy",
            vec![("UserName", "u".into()), ("PolicyName", "a".into()), ("PolicyDocument", of(2_049))],
            409,
        ),
        ("CreatePolicy", vec![("PolicyName", long(128)), ("PolicyDocument", of(6_144))], 200),
        ("CreatePolicy", vec![("PolicyName", long(129)), ("PolicyDocument", of(6_144))], 400),
        ("CreatePolicy", vec![("PolicyName", "b".into()), ("PolicyDocument", of(6_145))], 409),
        ("UpdateAssumeRolePolicy", vec![("RoleName", "r".into()), ("PolicyDocument", trust_of(2_048))], 200),
        ("UpdateAssumeRolePolicy", vec![("RoleName", "r".into()), ("PolicyDocument", trust_of(2_049))], 409),
        (
            "PutRolePolicy",
            vec![("RoleName", "r".into()), ("PolicyName", "c".into()), ("PolicyDocument", " ".repeat(131_073))],
            400,
        ),
        ("CreateRole", vec![("RoleName", long(64)), ("AssumeRolePolicyDocument", lambda.clone())], 200),
        ("CreateRole", vec![("RoleName", long(65)), ("AssumeRolePolicyDocument", lambda.clone())], 400),
        (
            "CreateRole",
            vec![
                ("RoleName", "p".into()),
                ("AssumeRolePolicyDocument", lambda.clone()),
                ("Path", format!("/{}/", long(510))),
            ],
            200,
        ),
        (
            "CreateRole",
            vec![
                ("RoleName", "q".into()),
                ("AssumeRolePolicyDocument", lambda.clone()),
                ("Path", format!("/{}/", long(511))),
            ],
            400,
        ),
        ("UpdateRoleDescription", vec![("RoleName", "r".into()), ("Description", long(1_000))], 200),
        ("UpdateRoleDescription", vec![("RoleName", "r".into()), ("Description", long(1_001))], 400),
        ("ListRoles", vec![("MaxItems", "1000".into())], 200),
        ("ListRoles", vec![("MaxItems", "1001".into())], 400),
        ("ListRoles", vec![("MaxItems", "0".into())], 400),
        (
            "TagRole",
            vec![("RoleName", "r".into()), ("Tags.member.1.Key", long(128)), ("Tags.member.1.Value", long(256))],
            200,
        ),
        (
            "TagRole",
            vec![("RoleName", "r".into()), ("Tags.member.1.Key", long(129)), ("Tags.member.1.Value", "v".into())],
            400,
        ),
        (
            "TagRole",
            vec![("RoleName", "r".into()), ("Tags.member.1.Key", "k".into()), ("Tags.member.1.Value", long(257))],
            400,
        ),
    ];
    for (action, members, expected) in cases {
        let members: Vec<(&str, &str)> = members.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = world.iam(action, &members).await;
        assert_eq!(answer.status, expected, "{action} {}", line(&answer, &[]));
    }
    for number in 0..=10 {
        let name = format!("p{number}");
        world.iam("CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", &of(200))]).await;
        let attached = world.iam("AttachRolePolicy", &[role, ("PolicyArn", &format!("{ARN}policy/{name}"))]).await;
        assert_eq!(attached.status, if number < 10 { 200 } else { 409 }, "{number}");
    }
    for number in 0..50 {
        let key = format!("k{number}");
        let tagged = world.iam("TagRole", &[role, ("Tags.member.1.Key", &key), ("Tags.member.1.Value", "v")]).await;
        assert_eq!(tagged.status, if number < 49 { 200 } else { 409 }, "{number}");
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let world = World::new().await;
    let mut names = Vec::new();
    let mut marker = String::new();
    loop {
        let mut members = vec![("MaxItems", "4")];
        if !marker.is_empty() {
            members.push(("Marker", &marker));
        }
        let text = String::from_utf8(world.iam("ListRoles", &members).await.body).unwrap();
        names.extend(text.split("<RoleName>").skip(1).map(|rest| rest.split('<').next().unwrap().to_string()));
        match text.split_once("<Marker>") {
            Some((_, rest)) => marker = rest.split('<').next().unwrap().into(),
            None => break,
        }
    }
    let of_cdk = |what: &str| format!("cdk-hnb659fds-{what}-role-123456789012-us-east-1");
    let cdk = ["cfn-exec", "deploy", "file-publishing", "image-publishing", "lookup"].map(of_cdk);
    assert_eq!(names, cdk.into_iter().chain(["everstep".to_string()]).collect::<Vec<_>>());
}

#[tokio::test]
async fn functions_have_roles_that_lambda_can_assume() {
    let world = World::new().await;
    let events = trust("events.amazonaws.com");
    world.iam("CreateRole", &[("RoleName", "events"), ("AssumeRolePolicyDocument", &events)]).await;
    world.create(function("f")).await;
    let mut lines = Vec::new();
    for role in [
        "events",
        "nobody",
        "",
        "arn:aws:iam::999999999999:role/everstep",
        "arn:aws:iam::123456789012:role/path/everstep",
    ] {
        let arn = if role.starts_with("arn:") { role.into() } else { format!("{ARN}role/{role}") };
        let mut create = function("g");
        create["Role"] = arn.as_str().into();
        let created = world.post("/2015-03-31/functions", create.to_string()).await.line();
        let path = "/2015-03-31/functions/f/configuration";
        let updated = world.send("PUT", path, &[], json!({"Role": arn}).to_string()).await.line();
        assert_eq!(created, updated);
        lines.push(created);
    }
    assert_snapshot!(lines.join("\n"), @r"
    400 InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda. Its trust policy does not allow sts:AssumeRole to lambda.amazonaws.com.
    400 InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda. There is no role arn:aws:iam::123456789012:role/nobody: create it, or use arn:aws:iam::123456789012:role/everstep.
    400 ValidationException: 1 validation error detected: Value 'arn:aws:iam::123456789012:role/' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+
    403 AccessDeniedException: Cross-account pass role is not allowed: the account of this server is 123456789012.
    400 InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda. There is no role arn:aws:iam::123456789012:role/path/everstep: create it, or use arn:aws:iam::123456789012:role/everstep.
    ");
    assert_eq!(world.get("/2015-03-31/functions/g").await.status, 404, "nothing is left of what was refused");
}

#[tokio::test]
async fn what_a_server_is_born_with_gives_way_and_stays_away() {
    let world = World::new().await;
    let lambda = trust("lambda.amazonaws.com");
    let create = [("RoleName", "everstep"), ("AssumeRolePolicyDocument", &*lambda)];
    let deploy = [("RoleName", "cdk-hnb659fds-deploy-role-123456789012-us-east-1")];
    let policies = |world: World| async move {
        let text = check(&world, &[("ListRolePolicies", &[("RoleName", "everstep")], &["PolicyNames"])]).await;
        (world, text)
    };
    let (world, text) = policies(world).await;
    assert_eq!(text, "ListRolePolicies: 200 <member>default</member>");
    assert_eq!(world.iam("CreateRole", &create).await.status, 200);
    assert_eq!(world.iam("CreateRole", &create).await.status, 409);
    let detach = [deploy[0], ("PolicyArn", "arn:aws:iam::aws:policy/AWSCloudFormationReadOnlyAccess")];
    assert_eq!(world.iam("DetachRolePolicy", &detach).await.status, 200);
    assert_eq!(world.iam("DeleteRolePolicy", &[deploy[0], ("PolicyName", "default")]).await.status, 200);
    assert_eq!(world.iam("DeleteRole", &deploy).await.status, 200);
    let world = world.restarted().await;
    let (world, text) = policies(world).await;
    assert_eq!(text, "ListRolePolicies: 200");
    assert_eq!(world.iam("GetRole", &deploy).await.status, 404);
}

#[tokio::test]
async fn functions_of_a_store_from_before_roles_keep_their_roles_once() {
    let world = World::new().await;
    world.create_role("old").await;
    let mut create = function("f");
    create["Role"] = format!("{ARN}role/old").into();
    world.create(create).await;
    let (server, directory) = (world.server, world.directory);
    assert!(server.stop().await);
    // As it was before there were roles.
    let store = Sqlite::open(directory.path()).unwrap();
    for kind in [Kind::Role, Kind::Birth] {
        for (key, document) in store.list(kind, None, 99).await.unwrap() {
            store.delete(kind, &key, document.revision).await.unwrap();
        }
    }
    drop(store);
    let world = World::on(directory).await;
    let old = [("RoleName", "old")];
    let attached = check(&world, &[("ListAttachedRolePolicies", &old, &["PolicyName"])]).await;
    assert_eq!(attached, "ListAttachedRolePolicies: 200 AWSLambdaBasicDurableExecutionRolePolicy");
    let answer = world.invoke("f", &[], r#"{"do": "echo"}"#).await;
    assert_eq!(answer.json()["event"], json!({"do": "echo"}));
    // Whoever deletes it has deleted it.
    let durable = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy";
    world.iam("DetachRolePolicy", &[old[0], ("PolicyArn", durable)]).await;
    world.iam("DeleteRolePolicy", &[old[0], ("PolicyName", "default")]).await;
    assert_eq!(world.iam("DeleteRole", &old).await.status, 200);
    let world = world.restarted().await;
    assert_eq!(world.iam("GetRole", &old).await.status, 404);
}

#[tokio::test]
async fn what_is_begun_for_a_sender_who_goes_away_is_made_whole() {
    let world = World::new().await;
    let trust = trust("lambda.amazonaws.com");
    let create = |name: &str| form("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]);
    for number in 0..50 {
        world.send_and_leave(&world.form("iam", &create(&format!("left-{number}")))).await;
    }
    // Whoever writes waits for those who began before.
    assert_eq!(world.exchange(&world.form("iam", &create("last"))).await.status, 200);
    let roles = async |world: &World| {
        let text = String::from_utf8(world.iam("ListRoles", &[]).await.body).unwrap();
        text.split("<RoleName>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let known = roles(&world).await;
    let world = world.restarted().await;
    assert_eq!(known, roles(&world).await, "what is known is what is on disk");
}
