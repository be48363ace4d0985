//! Documents that are no policies, and what AWS says of them.

use everstep_iam::{Kind, Policy, limits};
use serde_json::{Value, json};

#[track_caller]
fn check(kind: Kind, document: &str, expected: &str) {
    let found = Policy::read(document, kind).map_err(|malformed| malformed.to_string());
    assert_eq!(found.err().unwrap_or_default(), expected, "{document}");
}

/// Changes members of a good statement; `null` removes one.
#[track_caller]
fn check_statement(kind: Kind, change: Value, expected: &str) {
    let mut statement = match kind {
        Kind::Identity => json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}),
        Kind::Resource => json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}),
        Kind::Trust => {
            json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
        }
    };
    let members = statement.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    check(kind, &json!({"Version": "2012-10-17", "Statement": [statement]}).to_string(), expected);
}

const SYNTAX: &str = "Syntax errors in policy.";
const VENDOR: &str = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";

#[test]
fn documents_are_read_or_refused() {
    let statement = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
    for (document, expected) in [
        ("", SYNTAX),
        ("[]", SYNTAX),
        ("{}", SYNTAX),
        (r#"{"Version": "2012-10-17"}"#, SYNTAX),
        (r#"{"Version": "2012-10-17", "Statement": []}"#, SYNTAX),
        (r#"{"Version": "2012-10-17", "Statement": ["a"]}"#, SYNTAX),
        (r#"{"Version": 2012, "Statement": STATEMENT}"#, SYNTAX),
        (r#"{"Version": "2013-10-17", "Statement": STATEMENT}"#, SYNTAX),
        (r#"{"Version": "2012-10-17", "Statement": STATEMENT, "Name": "x"}"#, SYNTAX),
        (r#"{"Version": "2008-10-17", "Statement": STATEMENT}"#, ""),
        (r#"{"Statement": STATEMENT}"#, ""),
        (r#"{"Version": "2012-10-17", "Id": "x", "Statement": STATEMENT}"#, ""),
        (r#"{"Version": "2012-10-17", "Statement": [STATEMENT, STATEMENT]}"#, ""),
    ] {
        check(Kind::Identity, &document.replace("STATEMENT", statement), expected);
    }
    let named = |id: &str| json!({"Sid": id, "Effect": "Allow", "Action": "*", "Resource": "*"});
    for (second, expected) in [("b", ""), ("a", "Statement IDs (SID) in a single policy must be unique.")] {
        let document = json!({"Version": "2012-10-17", "Statement": [named("a"), named(second)]});
        check(Kind::Identity, &document.to_string(), expected);
    }
    let old = r#"{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}"#;
    check(Kind::Trust, old, "");
}

#[test]
fn managed_policies_have_the_newer_version() {
    let old = Err("Policy document must be version 2012-10-17 or greater.".to_string());
    for (document, expected) in
        [(r#"{"Version": "2012-10-17"}"#, Ok(())), (r#"{"Version": "2008-10-17"}"#, old.clone()), ("{}", old)]
    {
        assert_eq!(Policy::check_version(document).map_err(|malformed| malformed.0), expected, "{document}");
    }
}

#[test]
fn statements_are_read_or_refused() {
    let check = check_statement;
    check(Kind::Identity, json!({}), "");
    check(Kind::Identity, json!({"Effect": null}), "Missing required field Effect");
    check(Kind::Identity, json!({"Effect": "allow"}), SYNTAX);
    check(Kind::Identity, json!({"Sid": 1}), SYNTAX);
    check(Kind::Identity, json!({"Aktion": "s3:GetObject"}), SYNTAX);
    check(Kind::Identity, json!({"Action": null}), "Policy statement must contain actions.");
    check(Kind::Identity, json!({"Action": []}), "Policy statement must contain actions.");
    check(Kind::Identity, json!({"NotAction": "s3:*"}), SYNTAX);
    check(Kind::Identity, json!({"Action": "GetObject"}), VENDOR);
    check(Kind::Identity, json!({"Action": "s3:Get:Object"}), "Actions/Condition can contain only one colon.");
    check(Kind::Identity, json!({"Action": "s 3:GetObject"}), "Vendor s 3 is not valid");
    check(Kind::Identity, json!({"Action": "s3:Get Object"}), SYNTAX);
    check(Kind::Identity, json!({"Action": [1]}), SYNTAX);
    check(Kind::Identity, json!({"Resource": null}), "Policy statement must contain resources.");
    check(Kind::Identity, json!({"Resource": []}), "Policy statement must contain resources.");
    check(Kind::Identity, json!({"NotResource": "*"}), SYNTAX);
    check(Kind::Identity, json!({"Resource": "bucket"}), "Resource bucket must be in ARN format or \"*\".");
    check(Kind::Identity, json!({"Principal": "*"}), "Policy document should not specify a principal.");
    check(Kind::Identity, json!({"NotPrincipal": "*"}), "Policy document should not specify a principal.");
    check(
        Kind::Identity,
        json!({"Condition": {"StringEqual": {"aws:username": "a"}}}),
        "Invalid Condition type : StringEqual.",
    );
    check(
        Kind::Identity,
        json!({"Condition": {"NullIfExists": {"aws:username": "a"}}}),
        "Invalid Condition type : NullIfExists.",
    );
    check(
        Kind::Identity,
        json!({"Condition": {"ForSome:StringLike": {"aws:username": "a"}}}),
        "Invalid Condition type : ForSome:StringLike.",
    );
    check(Kind::Identity, json!({"Condition": {"StringEquals": {"username": "a"}}}), VENDOR);
    check(Kind::Identity, json!({"Condition": []}), SYNTAX);
    check(Kind::Identity, json!({"Condition": {"StringEquals": {"aws:username": {}}}}), SYNTAX);

    check(Kind::Resource, json!({}), "");
    check(Kind::Resource, json!({"Principal": null}), "Missing required field Principal");
    check(Kind::Resource, json!({"Principal": "ann"}), "Invalid principal in policy: \"AWS\":\"ann\"");
    check(
        Kind::Resource,
        json!({"Principal": {"AWS": "arn:aws:iam::123456789012:user/*"}}),
        "Invalid principal in policy: \"AWS\":\"arn:aws:iam::123456789012:user/*\"",
    );
    check(
        Kind::Resource,
        json!({"Principal": {"Service": "lambda"}}),
        "Invalid principal in policy: \"Service\":\"lambda\"",
    );
    check(Kind::Resource, json!({"Principal": {"Person": "ann"}}), "Invalid principal in policy: \"Person\":\"ann\"");
    check(
        Kind::Resource,
        json!({"Principal": null, "NotPrincipal": {"AWS": ["123456789012", "arn:aws:iam::123456789012:root"]}}),
        "",
    );

    check(Kind::Trust, json!({}), "");
    check(Kind::Trust, json!({"Principal": null}), "Missing required field Principal");
    check(
        Kind::Trust,
        json!({"NotPrincipal": {"AWS": "123456789012"}, "Principal": null}),
        "Has prohibited field NotPrincipal",
    );
    check(Kind::Trust, json!({"Action": null}), "Missing required field Action");
    check(Kind::Trust, json!({"Resource": "*"}), "Has prohibited field Resource");
    check(Kind::Trust, json!({"NotResource": "*"}), "Has prohibited field NotResource");
    check(
        Kind::Trust,
        json!({"Action": "lambda:InvokeFunction"}),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    );
}

#[test]
fn white_space_is_not_counted() {
    assert_eq!(limits::characters("{ \"ä\":\n\t1 }"), 7);
}
