//! Who may come in: nobody without a signature that fits.

use std::time::{Duration, SystemTime};

use insta::assert_snapshot;

use crate::world::{Signer, Wire, World};

const PATH: &str = "/2015-03-31/functions";

/// A request for the list of functions that `change` has tampered with.
fn tampered(world: &World, change: impl FnOnce(Wire) -> Wire) -> Wire {
    change(world.wire("GET", PATH, &[], ""))
}

/// A request that is signed in a way of its own.
fn signed(world: &World, change: impl FnOnce(&mut Signer)) -> Wire {
    let mut signer = world.signer();
    change(&mut signer);
    Wire { method: "GET".into(), path: PATH.into(), headers: Vec::new(), body: Vec::new() }
        .signed(&signer, world.address())
}

async fn line(world: &World, wire: Wire) -> String {
    world.deliver(&wire).await.line()
}

#[tokio::test]
async fn good_signatures_are_let_in() {
    let world = World::new().await;
    assert_snapshot!(world.get(PATH).await.show(), @r#"
    200
    {
      "Functions": []
    }
    "#);
    let query = "/2015-03-31/functions?MaxItems=3&FunctionVersion=ALL&Marker=";
    assert_eq!(world.get(query).await.status, 200);
    assert_eq!(world.send("GET", PATH, &[("x-anything", "  a   b ")], "").await.status, 200);
}

#[tokio::test]
async fn request_without_a_host_is_refused_and_not_a_panic() {
    let world = World::new().await;
    let bare = tampered(&world, |wire| wire.without("host"));
    assert_eq!(world.deliver(&bare).await.status, 403);
}

#[tokio::test]
async fn missing_and_incomplete_signatures_are_refused() {
    let world = World::new().await;
    let bare = tampered(&world, |wire| wire.without("authorization"));
    assert_snapshot!(world.deliver(&bare).await.show(), @r#"
    403
    x-amzn-errortype: MissingAuthenticationTokenException
    {
      "Type": "User",
      "message": "Missing Authentication Token: sign the request with a key of this server"
    }
    "#);
    let basic = tampered(&world, |wire| wire.with("authorization", |_| "Basic YWI=".into()));
    assert_snapshot!(line(&world, basic).await, @"403 IncompleteSignatureException: Authorization header requires algorithm AWS4-HMAC-SHA256.");
    for (part, replacement) in [("Signature=", "Nothing="), ("SignedHeaders=", "Some="), ("/aws4_request", "")] {
        let wire = tampered(&world, |wire| wire.with("authorization", |text| text.replace(part, replacement)));
        let answer = world.deliver(&wire).await;
        assert_eq!(answer.header("x-amzn-errortype"), Some("IncompleteSignatureException"), "{part}: {answer:?}");
    }
    let dateless = tampered(&world, |wire| wire.without("x-amz-date"));
    assert_snapshot!(line(&world, dateless).await, @"403 IncompleteSignatureException: Date must be in ISO-8601 'basic format', in header X-Amz-Date.");
    let yesterday = tampered(&world, |wire| {
        wire.with("authorization", |text| {
            let (before, after) = text.split_once("/20").unwrap();
            format!("{before}/19{after}")
        })
    });
    assert_snapshot!(line(&world, yesterday).await, @"403 InvalidSignatureException: Date in Credential scope does not match the date of the request.");
    let hostless = tampered(&world, |wire| wire.with("authorization", |text| text.replace("=host;", "=")));
    assert_snapshot!(line(&world, hostless).await, @"403 InvalidSignatureException: 'Host' must be a 'SignedHeader' in the AWS Authorization.");
}

#[tokio::test]
async fn unknown_keys_and_wrong_secrets_are_refused() {
    let world = World::new().await;
    let unknown = signed(&world, |signer| signer.access_key_id = "AKIANOBODY".into());
    assert_snapshot!(world.deliver(&unknown).await.show(), @r#"
    403
    x-amzn-errortype: UnrecognizedClientException
    {
      "Type": "User",
      "message": "The security token included in the request is invalid."
    }
    "#);
    let wrong = signed(&world, |signer| signer.secret = "guess".into());
    assert_snapshot!(world.deliver(&wrong).await.show(), @r#"
    403
    x-amzn-errortype: InvalidSignatureException
    {
      "Type": "User",
      "message": "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    }
    "#);
    let flipped = tampered(&world, |wire| {
        wire.with("authorization", |text| {
            let last = if text.ends_with('0') { '1' } else { '0' };
            format!("{}{last}", &text[..text.len() - 1])
        })
    });
    assert_eq!(world.deliver(&flipped).await.status, 403);
    let shortened = tampered(&world, |wire| wire.with("authorization", |text| text[..text.len() - 1].into()));
    assert_eq!(world.deliver(&shortened).await.status, 403);
}

#[tokio::test]
async fn signatures_are_refused_when_the_clock_is_more_than_five_minutes_off() {
    let world = World::new().await;
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let early = |signer: &mut Signer| signer.at = SystemTime::now() - minutes(6);
    assert_snapshot!(line(&world, signed(&world, early)).await, @"403 InvalidSignatureException: Signature expired: <date> is now earlier than <date> (<date> - 5 min.)");
    let late = |signer: &mut Signer| signer.at = SystemTime::now() + minutes(6);
    assert_snapshot!(line(&world, signed(&world, late)).await, @"403 InvalidSignatureException: Signature not yet current: <date> is still later than <date> (<date> + 5 min.)");
    for offset in [-4, 4] {
        let wire = signed(&world, |signer| {
            let off = minutes(4);
            signer.at = if offset < 0 { SystemTime::now() - off } else { SystemTime::now() + off };
        });
        assert_eq!(world.deliver(&wire).await.status, 200, "{offset} minutes");
    }
}

#[tokio::test]
async fn what_was_signed_cannot_be_changed() {
    let world = World::with_functions(300).await;
    let path = "/2015-03-31/functions/plain/invocations";
    let good = world.wire("POST", path, &[("x-amz-invocation-type", "DryRun")], "[1]");
    assert_eq!(world.deliver(&good).await.status, 204);
    type Change = fn(&mut Wire);
    let changes: [(&str, Change); 5] = [
        ("body", |wire| wire.body = b"[2]".to_vec()),
        ("path", |wire| wire.path = wire.path.replace("plain", "durable")),
        ("query", |wire| wire.path.push_str("?Qualifier=1")),
        ("method", |wire| wire.method = "GET".into()),
        ("header", |wire| *wire = wire.clone().with("x-amz-invocation-type", |_| "Event".into())),
    ];
    for (what, change) in changes {
        let mut wire = good.clone();
        change(&mut wire);
        let answer = world.deliver(&wire).await;
        let kind = answer.header("x-amzn-errortype");
        let expected = if what == "method" { "UnknownOperationException" } else { "InvalidSignatureException" };
        assert_eq!(kind, Some(expected), "{what}: {answer:?}");
    }
    let claimed = world.wire("POST", path, &[("x-amz-content-sha256", &"0".repeat(64))], "[1]");
    assert_snapshot!(line(&world, claimed).await, @"403 InvalidSignatureException: The provided 'x-amz-content-sha256' header does not match what was computed.");
}

/// A request for the list of functions whose signature is in its query.
fn presigned(world: &World, path: &str, seconds: u64, change: impl FnOnce(&mut Signer)) -> Wire {
    let mut signer = world.signer();
    change(&mut signer);
    Wire { method: "GET".into(), path: path.into(), headers: Vec::new(), body: Vec::new() }.presigned(
        &signer,
        world.address(),
        seconds,
    )
}

#[tokio::test]
async fn presigned_urls_are_let_in_until_they_expire() {
    let world = World::new().await;
    for path in [PATH, "/2015-03-31/functions?MaxItems=3&FunctionVersion=ALL&Marker="] {
        assert_eq!(world.deliver(&presigned(&world, path, 60, |_| {})).await.status, 200, "{path}");
    }
    let ago = |seconds: u64| move |signer: &mut Signer| signer.at = SystemTime::now() - Duration::from_secs(seconds);
    assert_eq!(world.deliver(&presigned(&world, PATH, 3600, ago(3000))).await.status, 200);
    assert_snapshot!(line(&world, presigned(&world, PATH, 60, ago(70))).await, @"403 InvalidSignatureException: Signature expired: <date> is now earlier than <date> (<date> - 1 min.)");
    let late = |signer: &mut Signer| signer.at = SystemTime::now() + Duration::from_secs(360);
    assert_snapshot!(line(&world, presigned(&world, PATH, 60, late)).await, @"403 InvalidSignatureException: Signature not yet current: <date> is still later than <date> (<date> + 5 min.)");
    let too_long = presigned(&world, PATH, 604_801, |_| {});
    assert_snapshot!(line(&world, too_long).await, @"403 IncompleteSignatureException: X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds.");
    assert_eq!(world.deliver(&presigned(&world, PATH, 604_800, |_| {})).await.status, 200);
}

#[tokio::test]
async fn presigned_urls_cannot_be_changed() {
    let world = World::new().await;
    let good = presigned(&world, "/2015-03-31/functions?MaxItems=3", 60, |_| {});
    assert_eq!(world.deliver(&good).await.status, 200);
    for (from, to) in [
        ("MaxItems=3", "MaxItems=4"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("X-Amz-Algorithm", "FunctionVersion=ALL&X-Amz-Algorithm"),
    ] {
        let wire = Wire { path: good.path.replace(from, to), ..good.clone() };
        let answer = world.deliver(&wire).await;
        assert_eq!(answer.header("x-amzn-errortype"), Some("InvalidSignatureException"), "{from}: {answer:?}");
    }
    let cut = Wire { path: good.path.replace("X-Amz-Signature=", "Nothing="), ..good.clone() };
    assert_snapshot!(line(&world, cut).await, @"403 IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Signature'. Re-examine the query-string parameters.");
}

#[tokio::test]
async fn keys_outlive_the_server() {
    let world = World::new().await;
    let (before, directory) = (world.server.operator_key().access_key_id.clone(), world.directory);
    world.server.stop().await;
    let mut config = everstep_server::Config::new(directory.path());
    config.listen[0].set_port(0);
    let server = everstep_server::Server::start(config).await.unwrap();
    assert_eq!(server.operator_key().access_key_id, before);
    let world = World { server, directory };
    assert_eq!(world.get(PATH).await.status, 200);
}
