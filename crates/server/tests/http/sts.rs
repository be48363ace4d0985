//! The Security Token Service, and with it the query protocol: forms come in, XML goes out.

use insta::assert_snapshot;

use crate::world::{Answer, Wire, World};

/// Returns the answer without the id of the request.
fn shown(answer: &Answer) -> String {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let (before, rest) = text.split_once("<RequestId>").unwrap_or_else(|| panic!("{text}"));
    let (id, after) = rest.split_once("</RequestId>").unwrap();
    assert_eq!(answer.header("x-amzn-requestid"), Some(id));
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    format!("{} {before}…{after}", answer.status)
}

#[tokio::test]
async fn operator_is_the_account() {
    let world = World::new().await;
    let answer = world.exchange(&world.form("sts", "Action=GetCallerIdentity&Version=2011-06-15")).await;
    assert_snapshot!(shown(&answer), @r#"200 <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId></GetCallerIdentityResult><ResponseMetadata>…</ResponseMetadata></GetCallerIdentityResponse>"#);
}

#[tokio::test]
async fn errors_of_forms_are_xml() {
    let world = World::new().await;
    let mut lines = Vec::new();
    for (service, form) in [
        ("sts", ""),
        ("sts", "Action="),
        ("sts", "Action=GetFederationToken&Version=2011-06-15"),
        ("glacier", "Action=Any"),
    ] {
        lines.push(shown(&world.exchange(&world.form(service, form)).await));
    }
    let signed = world.form("sts", "Action=GetCallerIdentity");
    for tampered in [Wire { body: "Action=Other".into(), ..signed.clone() }, signed.without("authorization")] {
        lines.push(shown(&world.exchange(&tampered).await));
    }
    assert_snapshot!(lines.join("\n"), @r"
    400 <ErrorResponse><Error><Code>MissingAction</Code><Message>The request is missing an Action: it must be a form with a member `Action`.</Message><Type>Sender</Type></Error>…</ErrorResponse>
    400 <ErrorResponse><Error><Code>MissingAction</Code><Message>The request is missing an Action: it must be a form with a member `Action`.</Message><Type>Sender</Type></Error>…</ErrorResponse>
    501 <ErrorResponse><Error><Code>NotImplemented</Code><Message>Everstep does not serve GetFederationToken yet; of STS it serves AssumeRole, GetAccessKeyInfo, GetCallerIdentity, GetSessionToken.</Message><Type>Receiver</Type></Error>…</ErrorResponse>
    501 <ErrorResponse><Error><Code>NotImplemented</Code><Message>Everstep does not serve the service `glacier`: pass it on to a real one by a table [forward.glacier] in the configuration file.</Message><Type>Receiver</Type></Error>…</ErrorResponse>
    403 <ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.</Message><Type>Sender</Type></Error>…</ErrorResponse>
    403 <ErrorResponse><Error><Code>MissingAuthenticationToken</Code><Message>Missing Authentication Token: sign the request with a key of this server</Message><Type>Sender</Type></Error>…</ErrorResponse>
    ");
}
