//! Layers: published, found, listed, used by functions, downloaded and deleted.

use serde_json::{Value, json};

use crate::world::{Answer, Wire, World, escaped, function, show, zip};

fn versions(layer: &str) -> String {
    format!("/2018-10-31/layers/{}/versions", escaped(layer))
}

fn arn(layer: &str, version: u64) -> String {
    format!("arn:aws:lambda:us-east-1:123456789012:layer:{layer}:{version}")
}

/// Publishes a layer with a file of this content.
async fn publish(world: &World, layer: &str, content: &str, members: Value) -> Value {
    let mut body = json!({"Content": {"ZipFile": zip(&[("lib/word", content)])}});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let answer = world.post(&versions(layer), body.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// Fetches an address that needs no signature.
async fn fetch(world: &World, location: &str) -> Answer {
    let (_, path) = location.split_once(&world.address().to_string()).expect("it is on this server");
    let headers = vec![("host".to_string(), world.address().to_string())];
    world.exchange(&Wire { method: "GET".into(), path: path.into(), headers, body: Vec::new() }).await
}

#[tokio::test]
async fn layer_is_published_found_downloaded_and_deleted() {
    let world = World::new().await;
    let members = json!({
        "Description": "words", "LicenseInfo": "MIT", "CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": ["x86_64"],
    });
    let mut first = publish(&world, "words", "one", members).await;
    let location = first["Content"]["Location"].take();
    insta::assert_snapshot!(show(&first), @r#"
    {
      "CompatibleArchitectures": [
        "x86_64"
      ],
      "CompatibleRuntimes": [
        "python3.13"
      ],
      "Content": {
        "CodeSha256": "<CodeSha256>",
        "CodeSize": "<size>",
        "Location": null
      },
      "CreatedDate": "<time>",
      "Description": "words",
      "LayerArn": "arn:aws:lambda:us-east-1:123456789012:layer:words",
      "LayerVersionArn": "arn:aws:lambda:us-east-1:123456789012:layer:words:1",
      "LicenseInfo": "MIT",
      "Version": 1
    }
    "#);
    let downloaded = fetch(&world, location.as_str().unwrap()).await;
    assert_eq!((downloaded.status, downloaded.header("content-type")), (200, Some("application/zip")));
    assert_eq!(downloaded.body.len() as u64, first["Content"]["CodeSize"].as_u64().unwrap());
    assert_eq!(fetch(&world, &format!("{}0", location.as_str().unwrap())).await.status, 403);

    assert_eq!(
        publish(&world, "arn:aws:lambda:us-east-1:123456789012:layer:words", "two", json!({})).await["Version"],
        2
    );
    let mut got = world.get(&format!("{}/1", versions("words"))).await.json();
    let mut by_arn =
        world.get(&format!("/2018-10-31/layers?find=LayerVersion&Arn={}", escaped(&arn("words", 1)))).await.json();
    for found in [&mut got, &mut by_arn] {
        found["Content"]["Location"].take();
        assert_eq!(*found, first);
    }

    for _ in 0..2 {
        assert_eq!(world.send("DELETE", &format!("{}/2", versions("words")), &[], "").await.status, 204);
    }
    assert_eq!(publish(&world, "words", "three", json!({})).await["Version"], 3, "numbers are never used again");
    let mut lines = Vec::new();
    for path in [
        format!("{}/2", versions("words")),
        format!("{}/x", versions("words")),
        format!("{}/1", versions("nothing")),
        format!("{}/1", versions("a b")),
        format!("/2018-10-31/layers?find=LayerVersion&Arn={}", escaped(&arn("words", 2))),
        "/2018-10-31/layers?find=LayerVersion&Arn=words".into(),
        "/2018-10-31/layers?find=LayerVersion".into(),
        "/2018-10-31/layers?CompatibleArchitecture=z80".into(),
    ] {
        lines.push(world.get(&path).await.line());
    }
    for body in
        [json!({}), json!({"Content": {"S3Bucket": "b", "S3Key": "k"}}), json!({"Content": {"ZipFile": "bm8gemlw"}})]
    {
        lines.push(world.post(&versions("words"), body.to_string()).await.line());
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    404 ResourceNotFoundException: The resource you requested does not exist.
    400 SerializationException: `x` is not a number, in VersionNumber
    404 ResourceNotFoundException: The resource you requested does not exist.
    400 ValidationException: 1 validation error detected: Value 'a b' at 'layerName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})
    404 ResourceNotFoundException: The resource you requested does not exist.
    400 ValidationException: 1 validation error detected: Value 'words' at 'arn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+
    400 ValidationException: 1 validation error detected: Value null at 'arn' failed to satisfy constraint: Member must not be null
    400 ValidationException: 1 validation error detected: Value 'z80' at 'compatibleArchitecture' failed to satisfy constraint: Member must satisfy enum value set: [x86_64, arm64]
    400 ValidationException: 1 validation error detected: Value null at 'content' failed to satisfy constraint: Member must not be null
    400 InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist
    400 InvalidParameterValueException: the upload is not a zip file that can be read: invalid Zip archive: Could not find EOCD
    ");
}

#[tokio::test]
async fn layers_are_listed_page_by_page_and_by_what_they_are_for() {
    let world = World::new().await;
    publish(&world, "a", "1", json!({"CompatibleRuntimes": ["python3.13"]})).await;
    publish(&world, "a", "2", json!({"CompatibleRuntimes": ["nodejs22.x"], "CompatibleArchitectures": ["arm64"]}))
        .await;
    publish(&world, "b", "3", json!({})).await;
    let read = |path: String| {
        let world = &world;
        async move {
            let page = world.get(&path).await.json();
            let layers = page["Layers"].as_array().or(page["LayerVersions"].as_array()).unwrap().iter();
            let newest =
                layers.map(|layer| layer.get("LatestMatchingVersion").unwrap_or(layer)["LayerVersionArn"].clone());
            let arns: Vec<String> = newest.map(|arn| arn.as_str().unwrap()[44..].to_string()).collect();
            (arns.join(" "), page["NextMarker"].as_str().map(|marker| format!("&Marker={marker}")).unwrap_or_default())
        }
    };
    let none = String::new;
    let layers = "/2018-10-31/layers?";
    assert_eq!(read(layers.into()).await, ("a:2 b:1".into(), none()));
    assert_eq!(read(format!("{layers}CompatibleRuntime=python3.13")).await, ("a:1".into(), none()));
    assert_eq!(read(format!("{layers}CompatibleArchitecture=arm64")).await, ("a:2".into(), none()));
    let (first, marker) = read(format!("{layers}MaxItems=1")).await;
    assert_eq!((first, read(format!("{layers}MaxItems=1{marker}")).await), ("a:2".into(), ("b:1".into(), none())));
    let versions = format!("{}?", versions("a"));
    assert_eq!(read(versions.clone()).await, ("a:2 a:1".into(), none()));
    assert_eq!(read(format!("{versions}CompatibleRuntime=python3.13")).await, ("a:1".into(), none()));
    let (first, marker) = read(format!("{versions}MaxItems=1")).await;
    assert_eq!((first, read(format!("{versions}MaxItems=1{marker}")).await), ("a:2".into(), ("a:1".into(), none())));
}

#[tokio::test]
async fn functions_use_layers_in_their_order() {
    let world = World::new().await;
    publish(&world, "a", "from a", json!({})).await;
    publish(&world, "b", "from b", json!({})).await;
    let mut create = function("f");
    create["Layers"] = json!([arn("a", 1), arn("b", 1)]);
    let created = world.create(create).await;
    let used: Vec<&str> =
        created["Layers"].as_array().unwrap().iter().map(|layer| layer["Arn"].as_str().unwrap()).collect();
    assert_eq!(used, [arn("a", 1), arn("b", 1)]);
    let word = || async { world.invoke("f", &[], r#"{"do": "layer"}"#).await.json() };
    assert_eq!(word().await, "from b");

    let update = |layers: Value| {
        let (world, body) = (&world, json!({"Layers": layers}).to_string());
        async move { world.send("PUT", "/2015-03-31/functions/f/configuration", &[], body).await }
    };
    assert_eq!(update(json!([arn("b", 1), arn("a", 1)])).await.status, 200);
    assert_eq!(word().await, "from a");
    world.send("DELETE", &format!("{}/1", versions("a")), &[], "").await;
    assert_eq!(word().await, "from a", "functions go on using what was deleted");

    for number in 0..6 {
        publish(&world, &format!("l{number}"), "", json!({})).await;
    }
    publish(&world, "b", "other", json!({})).await;
    let many = |count: u64| (0..count).map(|number| arn(&format!("l{number}"), 1)).collect::<Vec<_>>();
    assert_eq!(update(json!(many(5))).await.status, 200);
    let mut lines = Vec::new();
    for layers in [
        json!(many(6)),
        json!([arn("a", 1)]),
        json!([arn("b", 1), arn("b", 2)]),
        json!(["b"]),
        json!(["arn:aws:lambda:eu-west-1:123456789012:layer:b:1"]),
    ] {
        lines.push(update(layers).await.line());
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    400 InvalidParameterValueException: Cannot reference more than 5 layers.
    400 InvalidParameterValueException: Layer version arn:aws:lambda:us-east-1:123456789012:layer:a:1 does not exist.
    400 InvalidParameterValueException: Two different versions of the same layer are not allowed to be referenced in the same function.
    400 InvalidParameterValueException: Layer version b does not exist.
    400 InvalidParameterValueException: Layer version arn:aws:lambda:eu-west-1:123456789012:layer:b:1 does not exist.
    ");
    assert_eq!(update(json!([])).await.json().get("Layers"), None);
}

#[tokio::test]
async fn code_can_be_fetched_where_the_function_says() {
    let world = World::with_functions(300).await;
    let got = world.get("/2015-03-31/functions/plain").await.json();
    let downloaded = fetch(&world, got["Code"]["Location"].as_str().unwrap()).await;
    assert_eq!(downloaded.status, 200);
    assert_eq!(downloaded.body.len() as u64, got["Configuration"]["CodeSize"].as_u64().unwrap());
}
