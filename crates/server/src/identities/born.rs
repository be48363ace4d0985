//! What a server is born with: a role for functions, and the roles that CDK's bootstrap makes.
//!
//! Each is made once in the life of a store. Whoever deletes one has deleted it; whoever creates a role of that name takes
//! its place.

use std::collections::{BTreeMap, BTreeSet};

use everstep_store::{Catalog, Error as StoreError, Kind};
use serde_json::{Value, json};
use tracing::info;

use super::grants::Grants;
use super::{Identities, Role, name_of};
use crate::access::new_id;
use crate::functions::{Functions, now_millis};
use crate::limits::SESSION_SECONDS_DEFAULT;

/// The role for functions that need no other.
pub const ROLE: &str = "everstep";

const DURABLE: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy";

/// Makes what has never been made in this store.
pub(super) async fn bear(
    identities: &Identities,
    catalog: &dyn Catalog,
    functions: &Functions,
) -> Result<(), StoreError> {
    once(catalog, "roles", async {
        create(identities, ROLE, function_role()).await?;
        // A store from before there were roles: its functions go on with what they could do, and no more.
        for arn in roles_of(functions).await? {
            let prefix = identities.arn("role", "/", "");
            if arn.starts_with(&prefix) && identities.role(&arn).is_none() {
                let name = name_of(&arn);
                let path = &arn[prefix.len() - 1..arn.len() - name.len()];
                create(identities, name, Role { path: path.into(), ..function_role() }).await?;
                info!(role = arn, "made the role of functions that were there before there were roles");
            }
        }
        Ok(())
    })
    .await?;
    once(catalog, "cdk roles", async {
        for (name, role) in cdk_roles(identities) {
            create(identities, &name, role).await?;
        }
        Ok(())
    })
    .await
}

/// Does something once in the life of a store. What was begun and not ended is begun anew.
pub async fn once(
    catalog: &dyn Catalog,
    name: &str,
    make: impl Future<Output = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    if catalog.get(Kind::Birth, name).await?.is_some() {
        return Ok(());
    }
    make.await?;
    catalog.put(Kind::Birth, name, None, "{}".into()).await.map(drop)
}

async fn create(identities: &Identities, name: &str, role: Role) -> Result<(), StoreError> {
    identities.roles.create(name, Role { name: name.into(), ..role }).await.map(drop)
}

/// Returns the ARNs of the roles of all functions.
async fn roles_of(functions: &Functions) -> Result<BTreeSet<String>, StoreError> {
    let functions = functions.all().await.map_err(|error| StoreError::Failed {
        context: "functions cannot be read to make their roles".into(),
        source: Some(error.into()),
    })?;
    let of = |function: crate::functions::Function| {
        let versions = function.versions.into_values().map(|version| version.role);
        versions.chain([function.latest.role])
    };
    Ok(functions.into_iter().flat_map(of).collect())
}

fn role(trust: Value, attached: &[&str], inline: Option<Value>) -> Role {
    let document = |value: Value| value.to_string().try_into().expect("it is written here, and a test reads it");
    let trust = json!({"Version": "2012-10-17", "Statement": trust}).to_string();
    let inline = inline.map(|statements| json!({"Version": "2012-10-17", "Statement": statements}));
    Role {
        name: String::new(),
        path: "/".into(),
        id: new_id("AROA"),
        created_at_millis: now_millis(),
        trust: trust.try_into().expect("it is written here, and a test reads it"),
        description: None,
        max_session_seconds: SESSION_SECONDS_DEFAULT,
        tags: BTreeMap::new(),
        grants: Grants {
            inline: inline.into_iter().map(|policy| ("default".to_string(), document(policy))).collect(),
            attached: attached.iter().map(ToString::to_string).collect(),
            boundary: None,
        },
        born: true,
    }
}

/// What durable functions usually need: to report on themselves, to invoke each other, to answer callbacks.
fn function_role() -> Role {
    let trust =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let functions = json!([{
        "Effect": "Allow",
        "Action": [
            "lambda:InvokeFunction",
            "lambda:SendDurableExecutionCallbackSuccess",
            "lambda:SendDurableExecutionCallbackFailure",
            "lambda:SendDurableExecutionCallbackHeartbeat",
        ],
        "Resource": "*",
    }]);
    let description = Some("Functions of this server that need no role of their own".into());
    Role { description, ..role(trust, &[DURABLE], Some(functions)) }
}

/// The roles of CDK's bootstrap stack, with what its tools need of this server. Source: aws-cdk, bootstrap template, version 30.
fn cdk_roles(identities: &Identities) -> Vec<(String, Role)> {
    let (region, account) = (&identities.place().region, &identities.place().account);
    let name = |what: &str| format!("cdk-hnb659fds-{what}-role-{account}-{region}");
    let anybody = || {
        json!([{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }])
    };
    let bucket = format!("arn:aws:s3:::cdk-hnb659fds-assets-{account}-{region}");
    let bucket = json!([bucket, format!("{bucket}/*")]);
    let allow = |actions: Value, resource: Value| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let deploy = json!([
        allow(
            json!([
                "cloudformation:CreateChangeSet",
                "cloudformation:DeleteChangeSet",
                "cloudformation:ExecuteChangeSet",
                "cloudformation:CreateStack",
                "cloudformation:UpdateStack",
                "cloudformation:RollbackStack",
                "cloudformation:ContinueUpdateRollback",
                "cloudformation:DeleteStack",
                "cloudformation:UpdateTerminationProtection",
                "sts:GetCallerIdentity",
            ]),
            "*".into()
        ),
        allow("iam:PassRole".into(), identities.arn("role", "/", &name("cfn-exec")).into()),
        allow(json!(["s3:GetObject*", "s3:GetBucket*", "s3:List*"]), bucket.clone()),
        allow(
            json!(["ssm:GetParameter", "ssm:GetParameters"]),
            format!("arn:aws:ssm:{region}:{account}:parameter/cdk-bootstrap/hnb659fds/version").into()
        ),
    ]);
    let files = json!([allow(
        json!([
            "s3:GetObject*",
            "s3:GetBucket*",
            "s3:GetEncryptionConfiguration",
            "s3:List*",
            "s3:DeleteObject*",
            "s3:PutObject*",
            "s3:Abort*",
        ]),
        bucket
    )]);
    let images = json!([allow(
        json!([
            "ecr:PutImage",
            "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload",
            "ecr:BatchCheckLayerAvailability",
            "ecr:DescribeRepositories",
            "ecr:DescribeImages",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetAuthorizationToken",
        ]),
        "*".into()
    )]);
    let secrets = json!([{"Sid": "DontReadSecrets", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}]);
    let cloudformation = json!([{"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    vec![
        (name("deploy"), role(anybody(), &["arn:aws:iam::aws:policy/AWSCloudFormationReadOnlyAccess"], Some(deploy))),
        (name("file-publishing"), role(anybody(), &[], Some(files))),
        (name("image-publishing"), role(anybody(), &[], Some(images))),
        (name("lookup"), role(anybody(), &["arn:aws:iam::aws:policy/ReadOnlyAccess"], Some(secrets))),
        (name("cfn-exec"), role(cloudformation, &["arn:aws:iam::aws:policy/AdministratorAccess"], None)),
    ]
}
