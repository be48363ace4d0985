//! The ways to name a function: name, partial ARN or ARN, each with or without a qualifier.

use everstep_core::id::{FunctionName, Place};
use everstep_core::limits::{FUNCTION_REFERENCE_CHARACTERS_MAX, QUALIFIER_CHARACTERS_MAX};

/// A function as a caller named it. Source: Lambda API, `NamespacedFunctionName`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionReference {
    /// Region, if the caller named one.
    pub region: Option<String>,
    /// Account, if the caller named one.
    pub account: Option<String>,
    /// The function.
    pub function: FunctionName,
    /// Version or alias, if the caller named one.
    pub qualifier: Option<String>,
}

impl FunctionReference {
    /// Reads a reference, or `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > FUNCTION_REFERENCE_CHARACTERS_MAX {
            return None;
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts[..] {
            ["arn", _, "lambda", region, account, "function", ref rest @ ..] => (Some(region), Some(account), rest),
            [account, "function", ref rest @ ..] if is_account(account) => (None, Some(account), rest),
            ["function", ref rest @ ..] if !rest.is_empty() => (None, None, rest),
            ref rest => (None, None, rest),
        };
        let (function, qualifier) = match rest {
            [function] => (function, None),
            [function, qualifier] => (function, Some(*qualifier)),
            _ => return None,
        };
        let valid = account.is_none_or(is_account) && qualifier.is_none_or(is_qualifier);
        if !valid {
            return None;
        }
        Some(Self {
            region: region.map(Into::into),
            account: account.map(Into::into),
            function: function.parse().ok()?,
            qualifier: qualifier.map(Into::into),
        })
    }

    /// Tells whether the reference stays within `place`.
    pub fn is_in(&self, place: &Place) -> bool {
        self.region.as_deref().is_none_or(|region| region == &*place.region)
            && self.account.as_deref().is_none_or(|account| account == &*place.account)
    }
}

/// Tells whether a text can be a version or an alias.
pub fn is_qualifier(text: &str) -> bool {
    let word = everstep_core::id::is_word(text);
    !text.is_empty()
        && text.len() <= QUALIFIER_CHARACTERS_MAX
        && (word || text == "$LATEST" || text == "$LATEST.PUBLISHED")
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<&str>)>) {
        let parsed = FunctionReference::parse(text);
        let shown = parsed.as_ref().map(|parsed| (parsed.function.as_str(), parsed.qualifier.as_deref()));
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn references_and_qualifiers_hold_their_length() {
        assert!(is_qualifier(&"q".repeat(128)));
        assert!(!is_qualifier(&"q".repeat(129)));
        assert!(FunctionReference::parse(&format!("{}:{}", "f".repeat(64), "q".repeat(128))).is_some());
        let long = |region: usize| format!("arn:aws:lambda:{}:123456789012:function:f", "r".repeat(region));
        let fill = 256 - long(0).len();
        assert!(FunctionReference::parse(&long(fill)).is_some());
        assert!(FunctionReference::parse(&long(fill + 1)).is_none());
    }

    #[test]
    fn every_way_to_name_a_function_is_understood() {
        check("f", Some(("f", None)));
        check("f:$LATEST", Some(("f", Some("$LATEST"))));
        check("123456789012:function:f:live", Some(("f", Some("live"))));
        check("arn:aws:lambda:us-east-1:123456789012:function:f", Some(("f", None)));
        check("arn:aws:lambda:us-east-1:123456789012:function:f:3", Some(("f", Some("3"))));
        check("", None);
        check("f:", None);
        check("f:a:b", None);
        check("f g", None);
        check("arn:aws:lambda:us-east-1:12:function:f", None);
    }
}
