//! Constraint violations, worded and gathered as AWS's front end does.

use std::fmt::Display;
use std::str::FromStr;

/// Gathers the violations of a request.
#[derive(Debug, Default)]
pub struct Violations(Vec<String>);

impl Violations {
    /// Adds a violation unless `holds`: `value` at `path` must satisfy `constraint`, which begins with "Member must".
    /// Of a long value only the beginning is shown.
    pub fn require(&mut self, holds: bool, value: impl Display, path: &str, constraint: impl Display) {
        if !holds {
            let shown: String = value.to_string().chars().take(100).collect();
            self.0.push(format!("Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"));
        }
    }

    /// Requires a length between `min` and `max` characters.
    pub fn length(&mut self, value: &str, path: &str, min: usize, max: usize) {
        let length = value.chars().count();
        self.require(length >= min, value, path, format!("Member must have length greater than or equal to {min}"));
        self.require(length <= max, value, path, format!("Member must have length less than or equal to {max}"));
    }

    /// Requires a text of 1 to `max` characters that `T` takes; the pattern is AWS's, and says nothing of what is too long.
    pub fn text<T: FromStr>(&mut self, value: &str, path: &str, max: usize, pattern: &str) -> Option<T> {
        self.length(value, path, 1, max);
        if value.chars().count() > max {
            return None;
        }
        self.pattern(value.parse(), value, path, pattern)
    }

    /// Requires a value between `min` and `max`.
    pub fn range(&mut self, value: i64, path: &str, min: i64, max: i64) {
        self.require(value >= min, value, path, format!("Member must have value greater than or equal to {min}"));
        self.require(value <= max, value, path, format!("Member must have value less than or equal to {max}"));
    }

    /// Requires that `parsed` succeeded; the pattern is AWS's.
    pub fn pattern<T, E>(&mut self, parsed: Result<T, E>, value: &str, path: &str, pattern: &str) -> Option<T> {
        let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
        self.require(parsed.is_ok(), value, path, constraint);
        parsed.ok()
    }

    /// Requires one of AWS's names.
    pub fn one_of<T: Copy>(&mut self, value: &str, path: &str, names: &[(&str, T)]) -> Option<T> {
        let found = names.iter().find(|(name, _)| *name == value).map(|(_, known)| *known);
        let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        self.require(
            found.is_some(),
            value,
            path,
            format!("Member must satisfy enum value set: [{}]", list.join(", ")),
        );
        found
    }

    /// Requires that a member is there.
    pub fn present<T>(&mut self, value: Option<T>, path: &str) -> Option<T> {
        if value.is_none() {
            self.0.push(format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"));
        }
        value
    }

    /// Returns AWS's message if there was any violation.
    ///
    /// # Errors
    /// The message of a `ValidationException`.
    pub fn finish(self) -> Result<(), String> {
        match self.0.len() {
            0 => Ok(()),
            1 => Err(format!("1 validation error detected: {}", self.0[0])),
            count => Err(format!("{count} validation errors detected: {}", self.0.join("; "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use everstep_core::id::OperationName;

    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &[&str]) {
        let mut violations = Violations::default();
        let parsed: Option<OperationName> = violations.text(value, "name", 256, "[\\x20-\\x7E]+");
        assert_eq!(parsed.is_some(), expected.is_empty(), "{value}");
        let constraints: Vec<&str> = violations.0.iter().filter_map(|text| text.split("Member must ").nth(1)).collect();
        assert_eq!(constraints, expected, "{value}");
    }

    #[test]
    fn texts_that_are_too_long_break_one_constraint_only() {
        check(&"n".repeat(256), &[]);
        check(&"n".repeat(257), &["have length less than or equal to 256"]);
        check("ü", &["satisfy regular expression pattern: [\\x20-\\x7E]+"]);
    }
}
