//! Repositories of images: what is noted down of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::World;

/// More than are tagged one after the other by accident.
const AT_ONCE: usize = 20;

impl World {
    async fn ecr(&self, operation: &str, body: Value) -> (u16, Value) {
        self.target("ecr", &format!("AmazonEC2ContainerRegistry_V20150921.{operation}"), &body).await
    }
}

#[tokio::test]
async fn tags_that_are_added_at_once_are_all_kept() {
    let world = World::new().await;
    let (status, made) = world.ecr("CreateRepository", json!({"repositoryName": "images"})).await;
    assert_eq!(status, 200, "{made}");
    let arn = &made["repository"]["repositoryArn"];
    let key = |number: usize| format!("key{number}");
    let mut adding = tokio::task::JoinSet::new();
    let world = std::sync::Arc::new(world);
    for number in 0..AT_ONCE {
        let (world, arn) = (world.clone(), arn.clone());
        adding.spawn(async move {
            let tags = json!([{"Key": key(number), "Value": "x"}]);
            world.ecr("TagResource", json!({"resourceArn": arn, "tags": tags})).await.0
        });
    }
    assert_eq!(adding.join_all().await, [200; AT_ONCE]);
    let (_, listed) = world.ecr("ListTagsForResource", json!({"resourceArn": arn})).await;
    let kept: BTreeSet<&str> =
        listed["tags"].as_array().unwrap().iter().filter_map(|tag| tag["Key"].as_str()).collect();
    let wanted: Vec<String> = (0..AT_ONCE).map(key).collect();
    assert_eq!(kept, wanted.iter().map(String::as_str).collect());
}
