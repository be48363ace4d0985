//! Repositories of images and keys of KMS: what is noted down, what is said of it, and what is refused because nothing
//! stands behind it.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, form, redact};

const ECR: (&str, &str) = ("ecr", "AmazonEC2ContainerRegistry_V20150921");
const KMS: (&str, &str) = ("kms", "TrentService");

/// Sends one request after the other, and shows what came of each.
async fn check(world: &World, service: (&'static str, &str), requests: &[(&str, Value)]) -> String {
    let mut lines = Vec::new();
    for (operation, body) in requests {
        let (status, answer) = world.target(service.0, &format!("{}.{operation}", service.1), body).await;
        lines.push(format!("{operation}: {status} {}", redact(answer)));
    }
    lines.join("\n")
}

#[tokio::test]
async fn repositories_are_noted_down_and_empty() {
    let world = World::new().await;
    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/team/app";
    let lines = check(
        &world,
        ECR,
        &[
            ("DescribeRepositories", json!({"repositoryNames": ["team/app"]})),
            ("CreateRepository", json!({"repositoryName": "team/app", "tags": [{"Key": "k", "Value": "v"}]})),
            ("CreateRepository", json!({"repositoryName": "team/app"})),
            ("CreateRepository", json!({"repositoryName": "Team"})),
            ("CreateRepository", json!({"repositoryName": "other", "imageTagMutability": "IMMUTABLE"})),
            ("DescribeRepositories", json!({"maxResults": 1})),
            ("DescribeRepositories", json!({"repositoryNames": ["other"]})),
            ("DescribeRepositories", json!({"nextToken": "x"})),
            ("DescribeRepositories", json!({"maxResults": 1_001})),
            ("DescribeImages", json!({"repositoryName": "team/app"})),
            ("DescribeImages", json!({"repositoryName": "team/app", "imageIds": [{"imageTag": "latest"}]})),
            ("DescribeImages", json!({"repositoryName": "nothing"})),
            ("ListImages", json!({"repositoryName": "team/app"})),
            ("TagResource", json!({"resourceArn": arn, "tags": [{"Key": "l", "Value": "w"}]})),
            ("UntagResource", json!({"resourceArn": arn, "tagKeys": ["k"]})),
            ("ListTagsForResource", json!({"resourceArn": arn})),
            ("ListTagsForResource", json!({"resourceArn": "arn:aws:ecr:eu-west-1:1:repository/team/app"})),
            ("GetAuthorizationToken", json!({})),
            ("DeleteRepository", json!({"repositoryName": "team/app", "force": true})),
            ("DeleteRepository", json!({"repositoryName": "team/app"})),
        ],
    )
    .await;
    assert_snapshot!(lines, @r#"
    DescribeRepositories: 400 {"Type":"User","__type":"RepositoryNotFoundException","message":"The repository with name 'team/app' does not exist in the registry with id '123456789012'"}
    CreateRepository: 200 {"repository":{"createdAt":"<seconds>","encryptionConfiguration":{"encryptionType":"AES256"},"imageScanningConfiguration":{"scanOnPush":false},"imageTagMutability":"MUTABLE","registryId":"123456789012","repositoryArn":"arn:aws:ecr:us-east-1:123456789012:repository/team/app","repositoryName":"team/app","repositoryUri":"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"}}
    CreateRepository: 400 {"Type":"User","__type":"RepositoryAlreadyExistsException","message":"The repository with name 'team/app' already exists in the registry with id '123456789012'"}
    CreateRepository: 400 {"Type":"User","__type":"InvalidParameterException","message":"1 validation error detected: Value 'Team' at 'repositoryName' failed to satisfy constraint: Member must satisfy regular expression pattern: (?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"}
    CreateRepository: 200 {"repository":{"createdAt":"<seconds>","encryptionConfiguration":{"encryptionType":"AES256"},"imageScanningConfiguration":{"scanOnPush":false},"imageTagMutability":"IMMUTABLE","registryId":"123456789012","repositoryArn":"arn:aws:ecr:us-east-1:123456789012:repository/other","repositoryName":"other","repositoryUri":"123456789012.dkr.ecr.us-east-1.amazonaws.com/other"}}
    DescribeRepositories: 200 {"nextToken":"<nextToken>","repositories":[{"createdAt":"<seconds>","encryptionConfiguration":{"encryptionType":"AES256"},"imageScanningConfiguration":{"scanOnPush":false},"imageTagMutability":"IMMUTABLE","registryId":"123456789012","repositoryArn":"arn:aws:ecr:us-east-1:123456789012:repository/other","repositoryName":"other","repositoryUri":"123456789012.dkr.ecr.us-east-1.amazonaws.com/other"}]}
    DescribeRepositories: 200 {"repositories":[{"createdAt":"<seconds>","encryptionConfiguration":{"encryptionType":"AES256"},"imageScanningConfiguration":{"scanOnPush":false},"imageTagMutability":"IMMUTABLE","registryId":"123456789012","repositoryArn":"arn:aws:ecr:us-east-1:123456789012:repository/other","repositoryName":"other","repositoryUri":"123456789012.dkr.ecr.us-east-1.amazonaws.com/other"}]}
    DescribeRepositories: 400 {"Type":"User","__type":"InvalidParameterException","message":"Invalid parameter at 'nextToken': it is garbled or too old"}
    DescribeRepositories: 400 {"Type":"User","__type":"InvalidParameterException","message":"1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"}
    DescribeImages: 200 {"imageDetails":[]}
    DescribeImages: 400 {"Type":"User","__type":"ImageNotFoundException","message":"The image with imageId {imageDigest:'null', imageTag:'latest'} does not exist within the repository with name 'team/app' in the registry with id '123456789012'"}
    DescribeImages: 400 {"Type":"User","__type":"RepositoryNotFoundException","message":"The repository with name 'nothing' does not exist in the registry with id '123456789012'"}
    ListImages: 200 {"imageIds":[]}
    TagResource: 200 {}
    UntagResource: 200 {}
    ListTagsForResource: 200 {"tags":[{"Key":"l","Value":"w"}]}
    ListTagsForResource: 400 {"Type":"User","__type":"InvalidParameterException","message":"Invalid parameter at 'resourceArn': arn:aws:ecr:eu-west-1:1:repository/team/app is no repository of this server"}
    GetAuthorizationToken: 501 {"Type":"Service","__type":"NotImplementedException","message":"Everstep does not serve GetAuthorizationToken: it notes repositories down and has no registry behind them, because it runs no images. Deploy functions as zip files (PackageType Zip), or pass requests on to a real registry by a table [forward.ecr] in the configuration file."}
    DeleteRepository: 200 {"repository":{"createdAt":"<seconds>","encryptionConfiguration":{"encryptionType":"AES256"},"imageScanningConfiguration":{"scanOnPush":false},"imageTagMutability":"MUTABLE","registryId":"123456789012","repositoryArn":"arn:aws:ecr:us-east-1:123456789012:repository/team/app","repositoryName":"team/app","repositoryUri":"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"}}
    DeleteRepository: 400 {"Type":"User","__type":"RepositoryNotFoundException","message":"The repository with name 'team/app' does not exist in the registry with id '123456789012'"}
    "#);
}

#[tokio::test]
async fn names_of_repositories_have_limits() {
    let world = World::new().await;
    for (name, expected) in [
        ("a".to_string(), 400),
        ("ab".into(), 200),
        ("b".repeat(256), 200),
        ("b".repeat(257), 400),
        ("a//b".into(), 400),
        ("a/b-c.d_e".into(), 200),
        ("a/-b".into(), 400),
    ] {
        let target = format!("{}.CreateRepository", ECR.1);
        let (status, answer) = world.target("ecr", &target, &json!({"repositoryName": name})).await;
        assert_eq!(status, expected, "{name}: {answer}");
    }
}

#[tokio::test]
async fn keys_are_noted_down_and_encrypt_nothing() {
    let world = World::new().await;
    let (_, created) = world.target("kms", "TrentService.CreateKey", &json!({"Description": "ours"})).await;
    let id = &created["KeyMetadata"]["KeyId"];
    let lines = check(
        &world,
        KMS,
        &[
            ("DescribeKey", json!({"KeyId": id})),
            ("DescribeKey", json!({"KeyId": "alias/ours"})),
            ("CreateAlias", json!({"AliasName": "alias/ours", "TargetKeyId": id})),
            ("CreateAlias", json!({"AliasName": "alias/ours", "TargetKeyId": id})),
            ("CreateAlias", json!({"AliasName": "ours", "TargetKeyId": id})),
            ("CreateAlias", json!({"AliasName": "alias/aws/ours", "TargetKeyId": id})),
            ("CreateAlias", json!({"AliasName": "alias/theirs", "TargetKeyId": "nothing"})),
            ("UpdateAlias", json!({"AliasName": "alias/ours", "TargetKeyId": id})),
            ("UpdateAlias", json!({"AliasName": "alias/nothing", "TargetKeyId": id})),
            ("DescribeKey", json!({"KeyId": "arn:aws:kms:us-east-1:123456789012:alias/ours"})),
            ("ListAliases", json!({})),
            ("ListAliases", json!({"KeyId": "nothing"})),
            ("ListAliases", json!({"Limit": 101})),
            ("ListKeys", json!({})),
            ("ListKeys", json!({"Limit": 1_001})),
            ("ListKeys", json!({"Marker": "x"})),
            ("ListResourceTags", json!({"KeyId": id})),
            ("CreateKey", json!({"KeyUsage": "OPEN_DOORS", "KeySpec": "none"})),
            ("Encrypt", json!({"KeyId": id, "Plaintext": "eA=="})),
            ("DeleteAlias", json!({"AliasName": "alias/ours"})),
            ("DeleteAlias", json!({"AliasName": "alias/ours"})),
            ("ScheduleKeyDeletion", json!({"KeyId": id})),
            ("DescribeKey", json!({"KeyId": "nothing"})),
        ],
    )
    .await;
    assert_snapshot!(lines, @r#"
    DescribeKey: 200 {"KeyMetadata":{"AWSAccountId":"123456789012","Arn":"arn:aws:kms:us-east-1:123456789012:key/<uuid>","CreationDate":"<seconds>","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","Description":"ours","Enabled":true,"KeyId":"<uuid>","KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT","KeyState":"Enabled","KeyUsage":"ENCRYPT_DECRYPT","MultiRegion":false,"Origin":"AWS_KMS"}}
    DescribeKey: 400 {"Type":"User","__type":"NotFoundException","message":"Alias arn:aws:kms:us-east-1:123456789012:alias/ours is not found."}
    CreateAlias: 200 {}
    CreateAlias: 400 {"Type":"User","__type":"AlreadyExistsException","message":"An alias with the name arn:aws:kms:us-east-1:123456789012:alias/ours already exists"}
    CreateAlias: 400 {"Type":"User","__type":"ValidationException","message":"Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"}
    CreateAlias: 400 {"Type":"User","__type":"NotAuthorizedException","message":"Aliases that begin with alias/aws/ are AWS's own."}
    CreateAlias: 400 {"Type":"User","__type":"NotFoundException","message":"Key 'arn:aws:kms:us-east-1:123456789012:key/nothing' does not exist"}
    UpdateAlias: 200 {}
    UpdateAlias: 400 {"Type":"User","__type":"NotFoundException","message":"Alias arn:aws:kms:us-east-1:123456789012:alias/nothing is not found."}
    DescribeKey: 200 {"KeyMetadata":{"AWSAccountId":"123456789012","Arn":"arn:aws:kms:us-east-1:123456789012:key/<uuid>","CreationDate":"<seconds>","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","Description":"ours","Enabled":true,"KeyId":"<uuid>","KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT","KeyState":"Enabled","KeyUsage":"ENCRYPT_DECRYPT","MultiRegion":false,"Origin":"AWS_KMS"}}
    ListAliases: 200 {"Aliases":[{"AliasArn":"arn:aws:kms:us-east-1:123456789012:alias/ours","AliasName":"alias/ours","CreationDate":"<seconds>","LastUpdatedDate":"<seconds>","TargetKeyId":"<uuid>"}],"Truncated":false}
    ListAliases: 400 {"Type":"User","__type":"NotFoundException","message":"Key 'arn:aws:kms:us-east-1:123456789012:key/nothing' does not exist"}
    ListAliases: 400 {"Type":"User","__type":"ValidationException","message":"1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100"}
    ListKeys: 200 {"Keys":[{"KeyArn":"arn:aws:kms:us-east-1:123456789012:key/<uuid>","KeyId":"<uuid>"}],"Truncated":false}
    ListKeys: 400 {"Type":"User","__type":"ValidationException","message":"1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000"}
    ListKeys: 400 {"Type":"User","__type":"InvalidMarkerException","message":"Could not deserialize marker"}
    ListResourceTags: 200 {"Tags":[],"Truncated":false}
    CreateKey: 400 {"Type":"User","__type":"ValidationException","message":"2 validation errors detected: Value 'OPEN_DOORS' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: [SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT]; Value 'none' at 'keySpec' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Z0-9_]{1,32}"}
    Encrypt: 501 {"Type":"Service","__type":"NotImplementedException","message":"Everstep does not serve Encrypt: it notes keys down and has no material for them, so nothing is encrypted or signed with them. Leave it out, or pass requests on to the real service by a table [forward.kms] in the configuration file."}
    DeleteAlias: 200 {}
    DeleteAlias: 400 {"Type":"User","__type":"NotFoundException","message":"Alias arn:aws:kms:us-east-1:123456789012:alias/ours is not found."}
    ScheduleKeyDeletion: 200 {"DeletionDate":"<seconds>","KeyId":"arn:aws:kms:us-east-1:123456789012:key/<uuid>","KeyState":"PendingDeletion","PendingWindowInDays":0}
    DescribeKey: 400 {"Type":"User","__type":"NotFoundException","message":"Key 'arn:aws:kms:us-east-1:123456789012:key/nothing' does not exist"}
    "#);
}

#[tokio::test]
async fn descriptions_and_aliases_of_keys_have_limits() {
    let world = World::new().await;
    let (_, created) = world.target("kms", "TrentService.CreateKey", &json!({"Description": "d".repeat(8_192)})).await;
    let id = created["KeyMetadata"]["KeyId"].as_str().expect("it was made");
    let tags = |count: usize| -> Value {
        (0..count).map(|number| json!({"TagKey": number.to_string(), "TagValue": ""})).collect()
    };
    for (operation, body, expected) in [
        ("CreateKey", json!({"Description": "d".repeat(8_193)}), 400),
        ("CreateKey", json!({"Tags": tags(50)}), 200),
        ("CreateKey", json!({"Tags": tags(51)}), 400),
        ("CreateAlias", json!({"AliasName": format!("alias/{}", "a".repeat(250)), "TargetKeyId": id}), 200),
        ("CreateAlias", json!({"AliasName": format!("alias/{}", "a".repeat(251)), "TargetKeyId": id}), 400),
        ("ListAliases", json!({"Limit": 100}), 200),
        ("ListKeys", json!({"Limit": 1_000}), 200),
    ] {
        let (status, answer) = world.target("kms", &format!("TrentService.{operation}"), &body).await;
        assert_eq!(status, expected, "{operation}: {answer}");
    }
}

#[tokio::test]
async fn what_a_server_is_born_with_gives_way_to_a_stack_that_makes_it_once() {
    let world = World::new().await;
    let template = json!({"Resources": {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": "cdk-hnb659fds-assets-123456789012-us-east-1"},
        },
        "Version": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": "/cdk-bootstrap/hnb659fds/version", "Type": "String", "Value": "31"},
        },
    }});
    for (name, expected) in [("first", "CREATE_COMPLETE"), ("second", "ROLLBACK_COMPLETE")] {
        let members = [("StackName", name), ("TemplateBody", &template.to_string())];
        let answer = world.exchange(&world.form("cloudformation", &form("CreateStack", &members))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let describe = world.form("cloudformation", &form("DescribeStacks", &[("StackName", name)]));
        let settled = async {
            loop {
                let text = String::from_utf8(world.exchange(&describe).await.body).expect("it is XML");
                if !text.contains("_IN_PROGRESS</StackStatus>") {
                    return text;
                }
                tokio::task::yield_now().await;
            }
        };
        let text = tokio::time::timeout(PATIENCE, settled).await.expect("an end");
        assert!(text.contains(&format!("<StackStatus>{expected}</StackStatus>")), "{name}: {text}");
    }
}
