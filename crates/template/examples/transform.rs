//! Transforms SAM templates: for tests that compare the transform with AWS's own.
//!
//! Reads a JSON object per line, `{"template": …, "parameters": …, "partition": …, "region": …}`, and writes one per
//! line: `{"template": …}`, or `{"problems": […]}` with their messages.

use std::collections::BTreeMap;
use std::io::{BufRead, stdin};

use everstep_template::sam::{Place, transform};
use serde_json::{Value, json};

fn main() {
    for line in stdin().lock().lines() {
        let line = line.expect("read standard input");
        let request: Value = serde_json::from_str(&line).expect("a line is a JSON object");
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let parameters: BTreeMap<String, Value> = request["parameters"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let place = Place { partition: text("partition"), region: text("region") };
        let answer = match transform(&request["template"], &parameters, &place) {
            Ok(template) => json!({ "template": template }),
            Err(problems) => json!({ "problems": problems.iter().map(ToString::to_string).collect::<Vec<_>>() }),
        };
        println!("{answer}");
    }
}
