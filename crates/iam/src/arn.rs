//! Resources as policies name them: ARNs with wildcards in their six parts.

use crate::decide::Context;
use crate::pattern::Pattern;

/// Which resources an element of a statement names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resources {
    /// `*`
    Every,
    /// Part by part: a wildcard stays within its part, but for the last one.
    Arn(Box<[Pattern; PARTS]>),
}

const PARTS: usize = 6;

impl Resources {
    /// Reads `*` or an ARN. Parts that are left out at the end are `*`.
    /// Source: IAM User Guide, JSON policy element `Resource`.
    pub(crate) fn read(text: &str, variables: bool) -> Option<Self> {
        if text == "*" {
            return Some(Self::Every);
        }
        let parts = split(text);
        let whole = parts.first() == Some(&"arn") && parts.len() >= 3;
        whole.then(|| {
            let part = |position: usize| Pattern::read(parts.get(position).unwrap_or(&"*"), variables, true);
            Self::Arn(Box::new(std::array::from_fn(part)))
        })
    }

    /// Tells whether a request's resource is among them.
    pub(crate) fn matches(&self, resource: &str, context: Context<'_>) -> bool {
        let patterns = match self {
            Self::Every => return true,
            Self::Arn(patterns) => patterns,
        };
        let mut parts = resource.splitn(PARTS, ':');
        patterns.iter().all(|pattern| parts.next().is_some_and(|part| pattern.matches(part, false, context)))
    }
}

/// Splits at colons, but not within variables.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut depth) = (0, 0_usize);
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if text[..position].ends_with('$') => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && parts.len() < PARTS - 1 => {
                parts.push(&text[from..position]);
                from = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}
