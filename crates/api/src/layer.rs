//! Layers on the wire. Source: Lambda API, `PublishLayerVersion`, and the patterns of `LayerArn` and `LayerVersionArn`.

use everstep_core::id::{Place, is_word};
use serde::Deserialize;

use crate::function::Code;

/// Longest name of a layer, in characters. Source: Lambda API, `LayerName`.
const NAME_CHARACTERS_MAX: usize = 140;

/// `PublishLayerVersion`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishLayerVersion {
    /// Words for people.
    pub description: Option<String>,
    /// Where the content is.
    pub content: Option<Code>,
    /// The runtimes that it is meant for.
    pub compatible_runtimes: Option<Vec<String>>,
    /// The architectures that it is meant for.
    pub compatible_architectures: Option<Vec<String>>,
    /// Under which terms it may be used.
    pub license_info: Option<String>,
}

/// A layer as a caller named it: by its name, its ARN, or the ARN of one of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerReference {
    /// Region and account, if the caller named them.
    pub place: Option<(String, String)>,
    /// The layer.
    pub name: String,
    /// Its version, if the caller named one.
    pub version: Option<u64>,
}

impl LayerReference {
    /// Reads a reference, or `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (place, name, version) = match parts[..] {
            ["arn", _, "lambda", region, account, "layer", name] => (Some((region, account)), name, None),
            ["arn", _, "lambda", region, account, "layer", name, version] => {
                (Some((region, account)), name, Some(version.parse().ok()?))
            }
            [name] => (None, name, None),
            _ => return None,
        };
        let valid = is_word(name) && !name.is_empty() && name.len() <= NAME_CHARACTERS_MAX;
        let place = place.map(|(region, account)| (region.to_string(), account.to_string()));
        valid.then(|| Self { place, name: name.into(), version })
    }

    /// Tells whether the reference stays within `place`.
    pub fn is_in(&self, place: &Place) -> bool {
        let here = |(region, account): &(String, String)| *region == *place.region && *account == *place.account;
        self.place.as_ref().is_none_or(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<u64>)>) {
        let parsed = LayerReference::parse(text);
        let shown = parsed.as_ref().map(|parsed| (parsed.name.as_str(), parsed.version));
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn every_way_to_name_a_layer_is_understood() {
        check("tools", Some(("tools", None)));
        check("arn:aws:lambda:us-east-1:123456789012:layer:tools", Some(("tools", None)));
        check("arn:aws:lambda:us-east-1:123456789012:layer:tools:7", Some(("tools", Some(7))));
        check(&"l".repeat(140), Some((&"l".repeat(140), None)));
        for wrong in ["", "a b", &"l".repeat(141), "arn:aws:lambda:us-east-1:123456789012:layer:tools:x"] {
            check(wrong, None);
        }
        check("arn:aws:lambda:us-east-1:123456789012:function:tools", None);
    }

    #[test]
    fn references_stay_where_they_belong() {
        let place = Place { region: "us-east-1".into(), account: "123456789012".into() };
        for (text, expected) in [
            ("tools", true),
            ("arn:aws:lambda:us-east-1:123456789012:layer:tools", true),
            ("arn:aws:lambda:eu-west-1:123456789012:layer:tools", false),
            ("arn:aws:lambda:us-east-1:123456789013:layer:tools", false),
        ] {
            assert_eq!(LayerReference::parse(text).unwrap().is_in(&place), expected, "{text}");
        }
    }
}
