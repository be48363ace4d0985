//! What the tables share: a stack with a place, and resources that answer with their names.

use std::collections::BTreeMap;

use everstep_template::{Bound, Deployed, Given, GivenValue, Invalid, Lookup, Plan, Pseudo, Template, document};
use serde_json::{Value, json};

/// A stack's place.
pub fn place() -> Pseudo {
    Pseudo {
        account_id: "123456789012".into(),
        region: "eu-west-1".into(),
        partition: "aws".into(),
        url_suffix: "amazonaws.com".into(),
        stack_id: "arn:aws:cloudformation:eu-west-1:123456789012:stack/orders/1".into(),
        stack_name: "orders".into(),
        notification_arns: vec![],
    }
}

/// Parameters by name and value.
pub fn given(values: &[(&str, &str)]) -> Given {
    let value = |(name, value): &(&str, &str)| ((*name).to_owned(), GivenValue::Value((*value).to_owned()));
    Given { values: values.iter().map(value).collect(), ..Given::default() }
}

/// Reads and binds a template without imports.
pub fn bind(text: &str, values: &[(&str, &str)]) -> Result<Bound, Invalid> {
    Template::read(&document::parse(text)?)?.bind(&given(values), &place(), &BTreeMap::new())
}

/// Plans a template as a new stack.
pub fn plan(text: &str, values: &[(&str, &str)]) -> Result<Plan, Invalid> {
    bind(text, values)?.plan(&Deployed::default(), |_| true)
}

/// Resources that exist: `X` has the id `x-id`, and its attribute `A` is `x-id/A`.
pub struct Existing;

impl Lookup for Existing {
    fn reference(&self, logical_id: &str) -> Option<Value> {
        Some(json!(format!("{}-id", logical_id.to_lowercase())))
    }

    fn attribute(&self, logical_id: &str, name: &str) -> Option<Value> {
        Some(json!(format!("{}-id/{name}", logical_id.to_lowercase())))
    }

    fn dynamic(&self, service: &str, key: &str) -> Option<String> {
        (service == "ssm").then(|| format!("value of {key}"))
    }
}
