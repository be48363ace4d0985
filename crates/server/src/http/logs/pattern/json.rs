//! Conditions on messages that are JSON: members are compared, and comparisons are joined.

use regex::bytes::Regex;
use serde_json::Value;

use super::{Invalid, invalid, quoted, regex};
use crate::limits::FILTER_PATTERN_DEPTH_MAX;

/// What must hold for a message.
#[derive(Debug)]
pub enum Condition {
    /// All of them.
    All(Vec<Condition>),
    /// One of them.
    Any(Vec<Condition>),
    /// Something of a member, or of one of several.
    Member(Vec<Step>, Test),
}

/// A step from a value to those in it.
#[derive(Debug)]
pub enum Step {
    /// The member of an object.
    Name(String),
    /// An element of an array, from 0.
    Index(usize),
    /// All elements of an array.
    Each,
}

/// What is asked of a member.
#[derive(Debug)]
pub enum Test {
    /// It is `null`.
    Null,
    /// It is this boolean.
    Boolean(bool),
    /// It is not there.
    Missing,
    /// It has this value.
    Equal(Operand),
    /// It is there and has another.
    Unequal(Operand),
    /// It is a number that is less (or else more) than this one.
    Beyond {
        /// Less rather than more.
        less: bool,
        /// Or the same.
        or_equal: bool,
        /// The number.
        bound: f64,
    },
}

/// What a member is compared with.
#[derive(Debug)]
pub enum Operand {
    /// A string, in which `*` stands for anything.
    Text(String),
    /// A number, and how it was written.
    Number(f64, String),
    /// A regular expression.
    Regex(Regex),
}

/// Reads what stands between the braces.
///
/// # Errors
/// If it is no condition.
pub fn read(text: &str) -> Result<Condition, Invalid> {
    let mut reader = Reader { rest: text, depth: 0, regexes: 0 };
    let condition = reader.any()?;
    if reader.skip_space().is_empty() { Ok(condition) } else { Err(reader.unexpected("&& or ||")) }
}

impl Condition {
    /// Tells whether it holds for a message. None holds for a message that is no JSON object.
    pub fn matches(&self, message: &str) -> bool {
        message.trim_start().starts_with('{')
            && serde_json::from_str(message).is_ok_and(|document| self.holds(&document))
    }

    fn holds(&self, document: &Value) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(document)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(document)),
            Self::Member(steps, test) => {
                let values = steps.iter().fold(vec![document], |values, step| step.take(values));
                match test {
                    Test::Missing => values.is_empty(),
                    Test::Null => values.iter().any(|value| value.is_null()),
                    Test::Boolean(expected) => values.iter().any(|value| value.as_bool() == Some(*expected)),
                    Test::Equal(operand) => values.iter().any(|value| operand.is(value)),
                    Test::Unequal(operand) => values.iter().any(|value| !operand.is(value)),
                    Test::Beyond { less, or_equal, bound } => {
                        let numbers = values.iter().filter_map(|value| value.as_f64());
                        let within = |number: f64| {
                            (*or_equal && number == *bound) || if *less { number < *bound } else { number > *bound }
                        };
                        numbers.into_iter().any(within)
                    }
                }
            }
        }
    }
}

impl Step {
    fn take<'a>(&self, values: Vec<&'a Value>) -> Vec<&'a Value> {
        match self {
            Self::Name(name) => values.into_iter().filter_map(|value| value.get(name)).collect(),
            Self::Index(index) => values.into_iter().filter_map(|value| value.get(index)).collect(),
            Self::Each => values.into_iter().filter_map(Value::as_array).flatten().collect(),
        }
    }
}

impl Operand {
    fn is(&self, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return false,
        };
        match self {
            Self::Text(pattern) => like(pattern, &text),
            Self::Number(number, written) => match value.as_f64() {
                Some(value) => value == *number,
                None => text == *written,
            },
            Self::Regex(regex) => regex.is_match(text.as_bytes()),
        }
    }
}

/// Tells whether a text is what a pattern says, in which `*` stands for anything.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    parts.all(|part| {
        let found = rest.find(part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

/// Reads conditions: `||` of `&&` of comparisons and parentheses.
struct Reader<'a> {
    rest: &'a str,
    depth: usize,
    regexes: usize,
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Result<Condition, Invalid> {
        let mut conditions = vec![self.all()?];
        while self.takes("||") {
            conditions.push(self.all()?);
        }
        Ok(Condition::Any(conditions))
    }

    fn all(&mut self) -> Result<Condition, Invalid> {
        let mut conditions = vec![self.one()?];
        while self.takes("&&") {
            conditions.push(self.one()?);
        }
        Ok(Condition::All(conditions))
    }

    fn one(&mut self) -> Result<Condition, Invalid> {
        if !self.takes("(") {
            let steps = self.selector()?;
            return Ok(Condition::Member(steps, self.test()?));
        }
        self.depth += 1;
        if self.depth > FILTER_PATTERN_DEPTH_MAX {
            return Err(invalid(format!("its parentheses are nested more than {FILTER_PATTERN_DEPTH_MAX} deep")));
        }
        let condition = self.any()?;
        self.depth -= 1;
        if self.takes(")") { Ok(condition) } else { Err(self.unexpected(")")) }
    }

    fn selector(&mut self) -> Result<Vec<Step>, Invalid> {
        if !self.takes("$") {
            return Err(self.unexpected("a property selector such as $.name"));
        }
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(".[").or_else(|| self.rest.strip_prefix('[')) {
                self.rest = rest;
                steps.push(self.bracketed()?);
            } else if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                let end = |character: char| character.is_whitespace() || ".[]()=!<>&|{}\"'%*".contains(character);
                let name = self.take_until(end);
                if name.is_empty() {
                    return Err(self.unexpected("a name"));
                }
                steps.push(Step::Name(name.into()));
            } else if steps.is_empty() {
                return Err(self.unexpected("a name"));
            } else {
                return Ok(steps);
            }
        }
    }

    /// Reads a step in brackets, of which the first is read.
    fn bracketed(&mut self) -> Result<Step, Invalid> {
        let step = if self.takes("*") {
            Step::Each
        } else if let Some(quote) = self.rest.chars().next().filter(|first| "'\"".contains(*first)) {
            self.rest = &self.rest[1..];
            let name = self.take_until(|character| character == quote);
            if !self.takes(&quote.to_string()) {
                return Err(self.unexpected("a closing quote"));
            }
            Step::Name(name.into())
        } else {
            let digits = self.take_until(|character| !character.is_ascii_digit());
            Step::Index(digits.parse().map_err(|_| self.unexpected("an index, * or a name in quotes"))?)
        };
        if self.takes("]") { Ok(step) } else { Err(self.unexpected("]")) }
    }

    fn test(&mut self) -> Result<Test, Invalid> {
        if self.takes("IS") {
            for (word, test) in [("NULL", Test::Null), ("TRUE", Test::Boolean(true)), ("FALSE", Test::Boolean(false))] {
                if self.takes(word) {
                    return Ok(test);
                }
            }
            return Err(self.unexpected("NULL, TRUE or FALSE"));
        }
        if self.takes("NOT") {
            return if self.takes("EXISTS") { Ok(Test::Missing) } else { Err(self.unexpected("EXISTS")) };
        }
        if self.takes("!=") {
            return Ok(Test::Unequal(self.operand()?));
        }
        if self.takes("=") {
            return Ok(Test::Equal(self.operand()?));
        }
        for (sign, less, or_equal) in [("<=", true, true), ("<", true, false), (">=", false, true), (">", false, false)]
        {
            if self.takes(sign) {
                return match self.operand()? {
                    Operand::Number(bound, _) => Ok(Test::Beyond { less, or_equal, bound }),
                    Operand::Text(_) | Operand::Regex(_) => Err(invalid(format!("{sign} takes a number"))),
                };
            }
        }
        Err(self.unexpected("a comparison"))
    }

    fn operand(&mut self) -> Result<Operand, Invalid> {
        let rest = self.skip_space();
        if rest.starts_with('"') {
            let (text, rest) = quoted(rest)?;
            self.rest = rest;
            return Ok(Operand::Text(text));
        }
        if rest.starts_with('%') {
            let (regex, rest) = regex(rest, &mut self.regexes)?;
            self.rest = rest;
            return Ok(Operand::Regex(regex));
        }
        let word = self.take_until(|character| character.is_whitespace() || "()&|\"{}=<>!".contains(character));
        if word.is_empty() {
            return Err(self.unexpected("a value"));
        }
        let number = word.parse().ok().filter(|number: &f64| number.is_finite());
        Ok(number.map_or_else(|| Operand::Text(word.into()), |number| Operand::Number(number, word.into())))
    }

    fn skip_space(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    /// Takes a sign or a word, if it comes next.
    fn takes(&mut self, expected: &str) -> bool {
        let after = self.skip_space().strip_prefix(expected);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn take_until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn unexpected(&mut self, expected: &str) -> Invalid {
        match self.skip_space() {
            "" => invalid(format!("expected {expected} at its end")),
            rest => invalid(format!("expected {expected} at '{rest}'")),
        }
    }
}
