//! Filter patterns: which log events are wanted, in the language of CloudWatch Logs.
//!
//! A pattern in braces asks for members of JSON messages; any other has terms that occur in the message or do not. The
//! third form, a list in brackets of the words of a line, is refused. Nothing in here reads or answers anything.

mod json;

use regex::bytes::{Regex, RegexBuilder};

use crate::limits::{FILTER_PATTERN_REGEX_BYTES_MAX, FILTER_PATTERN_REGEXES_MAX};

/// Why a pattern is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid filter pattern: {0}")]
pub struct Invalid(String);

/// A filter pattern.
#[derive(Debug)]
pub enum Pattern {
    /// Terms of the message.
    Terms {
        /// All of them must occur.
        all: Vec<Term>,
        /// One of them must occur, if nothing else is asked.
        any: Vec<Term>,
        /// None of them may occur.
        none: Vec<Term>,
    },
    /// A condition on a message that is JSON.
    Json(json::Condition),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('{') {
            let inner = inner.strip_suffix('}');
            let inner = inner.ok_or_else(|| invalid("If a filter pattern starts with '{' it must end with '}'"))?;
            return json::read(inner).map(Self::Json);
        }
        if text.starts_with('[') {
            return Err(invalid("Everstep does not serve space-delimited patterns; use terms or a JSON pattern"));
        }
        terms(text)
    }

    /// Tells whether a message is wanted.
    pub fn matches(&self, message: &str) -> bool {
        match self {
            Self::Terms { all, any, none } => {
                let occurs = |term: &Term| term.occurs(message);
                // Beside other terms optional ones say nothing, as on AWS.
                let optional = !all.is_empty() || !none.is_empty() || any.is_empty() || any.iter().any(occurs);
                optional && all.iter().all(occurs) && !none.iter().any(occurs)
            }
            Self::Json(condition) => condition.matches(message),
        }
    }
}

/// What a message may hold.
#[derive(Debug)]
pub enum Term {
    /// A word or a phrase.
    Text(String),
    /// A regular expression.
    Regex(Regex),
}

impl Term {
    fn occurs(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text),
            Self::Regex(regex) => regex.is_match(message.as_bytes()),
        }
    }
}

fn invalid(reason: impl Into<String>) -> Invalid {
    Invalid(reason.into())
}

fn terms(text: &str) -> Result<Pattern, Invalid> {
    let (mut all, mut any, mut none) = (Vec::new(), Vec::new(), Vec::new());
    let mut regexes = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (list, of) = match rest.chars().next() {
            Some('?') => (&mut any, &rest[1..]),
            Some('-') => (&mut none, &rest[1..]),
            Some(_) | None => (&mut all, rest),
        };
        let (term, after) = if of.starts_with('"') {
            let (phrase, after) = quoted(of)?;
            if phrase.is_empty() {
                return Err(invalid("Invalid character(s) in term '\"\"'"));
            }
            (Term::Text(phrase), after)
        } else if of.starts_with('%') {
            let (regex, after) = regex(of, &mut regexes)?;
            (Term::Regex(regex), after)
        } else {
            let (word, after) = of.split_at(of.find(char::is_whitespace).unwrap_or(of.len()));
            let plain = |character: char| character.is_alphanumeric() || "_-.".contains(character);
            if word.is_empty() || !word.chars().all(plain) {
                let reason = format!("Invalid character(s) in term '{word}'; put it into double quotes");
                return Err(invalid(reason));
            }
            (Term::Text(word.into()), after)
        };
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return Err(invalid(format!("Invalid character(s) in term '{after}'; put a space before it")));
        }
        list.push(term);
        rest = after.trim_start();
    }
    Ok(Pattern::Terms { all, any, none })
}

/// Reads a string in double quotes. Returns what follows too.
fn quoted(text: &str) -> Result<(String, &str), Invalid> {
    let mut read = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((read, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => read.push(escaped),
                Some((_, other)) => read.extend(['\\', other]),
                None => break,
            },
            character => read.push(character),
        }
    }
    Err(invalid(format!("there is no closing quote for {text}")))
}

/// Reads a regular expression between percent signs, of the kind that CloudWatch Logs takes. Returns what follows too.
fn regex<'a>(text: &'a str, count: &mut usize) -> Result<(Regex, &'a str), Invalid> {
    let inner = &text[1..];
    let end = inner.find('%').ok_or_else(|| invalid(format!("there is no closing % for {text}")))?;
    let (source, after) = (&inner[..end], &inner[end + 1..]);
    *count += 1;
    if *count > FILTER_PATTERN_REGEXES_MAX {
        return Err(invalid(format!("it has more than {FILTER_PATTERN_REGEXES_MAX} regular expressions")));
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || ":_#=@/;,-^$?[]{}|\\*+.".contains(character);
    if source.is_empty() || !source.chars().all(allowed) {
        return Err(invalid(format!("Invalid character(s) in term '%{source}%'")));
    }
    // Without Unicode an expression stays small, and a message is bytes.
    let built = RegexBuilder::new(source).unicode(false).size_limit(FILTER_PATTERN_REGEX_BYTES_MAX).build();
    let regex = built.map_err(|_| invalid(format!("'%{source}%' is no regular expression, or too large a one")))?;
    Ok((regex, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns those of the messages that a pattern wants, or why it is none.
    fn wanted<'a>(pattern: &str, messages: &[&'a str]) -> Result<Vec<&'a str>, String> {
        let pattern = Pattern::read(pattern).map_err(|error| error.to_string())?;
        Ok(messages.iter().copied().filter(|message| pattern.matches(message)).collect())
    }

    #[test]
    fn terms_occur_or_do_not() {
        let messages = ["ERROR one", "ERROR two WARN", "INFO one", "say \"it\" 50%", "order-1 at x/y"];
        for (pattern, expected) in [
            ("", &messages[..]),
            ("ERROR", &messages[..2]),
            ("  ERROR   WARN ", &messages[1..2]),
            ("error", &[]),
            ("?WARN ?INFO", &messages[1..3]),
            ("?WARN INFO", &messages[2..3]),
            ("?INFO -WARN -order", &["ERROR one", "INFO one", "say \"it\" 50%"]),
            ("-ERROR", &messages[2..]),
            ("ERROR -\"two WARN\"", &messages[..1]),
            ("\"ERROR one\"", &messages[..1]),
            ("?\"two WARN\" ?\"INFO one\"", &messages[1..3]),
            (r#""\"it\"""#, &messages[3..4]),
            ("order-1", &messages[4..]),
            ("\"x/y\"", &messages[4..]),
            ("%ERROR|INFO%", &messages[..3]),
            ("%^INFO%", &messages[2..3]),
            (r"%\d%", &messages[3..]),
            ("%[A-Z]+% -WARN", &["ERROR one", "INFO one"]),
            ("-%o.e$%", &messages[1..2].iter().chain(&messages[3..]).copied().collect::<Vec<_>>()),
        ] {
            assert_eq!(wanted(pattern, &messages).unwrap(), expected, "{pattern}");
        }
    }

    #[test]
    fn members_of_json_are_compared() {
        let message = r#"{"a": "x", "n": 6, "s": "year", "path": {"to": {"it": "/aws/lambda/f:$LATEST"}}, "list": [1, {"k": "v"}],
            "null": null, "yes": true, "no": false, "dot.ted": "d", "with space": 1, "q": "say \"it\" \\ then", "big": 1.5e3}"#;
        for (pattern, expected) in [
            (r#"{ $.a = "x" }"#, true),
            (r#"{$.a="x"}"#, true),
            ("{ $.a = x }", true),
            (r#"{ $.a = "y" }"#, false),
            (r#"{ $.a != "y" }"#, true),
            (r#"{ $.a != "x" }"#, false),
            (r#"{ $.missing != "x" }"#, false),
            (r#"{ ($.a = "b") || ($.n > 5 && $.s != "z*") }"#, true),
            (r#"{ ($.a = "b") || ($.n > 5 && $.s != "y*") }"#, false),
            // What stands by `&&` belongs together.
            (r#"{ $.a = "x" || $.a = "b" && $.n = 0 }"#, true),
            (r#"{ ($.a = "x" || $.a = "b") && $.n = 0 }"#, false),
            (r#"{ $.n = 0 && $.a = "b" || $.a = "x" }"#, true),
            ("{ $.n = 6 }", true),
            ("{ $.n = 6.0 }", true),
            ("{ $.n != 6 }", false),
            ("{ $.n > 6 }", false),
            ("{ $.n >= 6 }", true),
            ("{ $.n < 6.5 }", true),
            ("{ $.n <= 5 }", false),
            ("{ $.n > -1 }", true),
            ("{ $.big = 1.5E+3 }", true),
            (r#"{ $.n = "6" }"#, true),
            ("{ $.n = * }", true),
            ("{ $.a > 5 }", false),
            (r#"{ $.s = "*ea*" }"#, true),
            (r#"{ $.s = "y*r" }"#, true),
            (r#"{ $.s = "*e" }"#, false),
            (r#"{ $.s = "year*year" }"#, false),
            (r#"{ $.missing = "*" }"#, false),
            ("{ $.s = ye* }", true),
            ("{ $.s = %^y.{2}r$% }", true),
            ("{ $.s != %z% }", true),
            (r#"{ $.path.to.it = "/aws/lambda/f:$LATEST" }"#, true),
            (r#"{ ($.durableExecutionArn = "f:$LATEST/e") || ($.path.to.it = "/aws/lambda/f:$LATEST") }"#, true),
            (r#"{ $.q = "say \"it\" \\ then" }"#, true),
            ("{ $.list[0] = 1 }", true),
            ("{ $.list[1] = 1 }", false),
            (r#"{ $.list[1].k = "v" }"#, true),
            (r#"{ $.list[*].k = "v" }"#, true),
            ("{ $.list[*] = 1 }", true),
            ("{ $.list[*] = 2 }", false),
            ("{ $.list[9] NOT EXISTS }", true),
            ("{ $.null IS NULL }", true),
            ("{ $.a IS NULL }", false),
            ("{ $.missing IS NULL }", false),
            ("{ $.yes IS TRUE }", true),
            ("{ $.no IS TRUE }", false),
            ("{ $.no IS FALSE }", true),
            ("{ $.yes = true }", true),
            ("{ $.missing NOT EXISTS }", true),
            ("{ $.path.to NOT EXISTS }", false),
            ("{ $.null NOT EXISTS }", false),
            ("{ $.['dot.ted'] = d }", true),
            (r#"{ $["with space"] = 1 }"#, true),
            ("{ $.dot.ted = d }", false),
        ] {
            assert_eq!(wanted(pattern, &[message]).map(|found| !found.is_empty()), Ok(expected), "{pattern}");
        }
        for other in ["text", "[1]", "5", "{", "START RequestId: x"] {
            assert_eq!(wanted("{ $.a NOT EXISTS }", &[other]), Ok(vec![]), "{other}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in [
            "{ $.a = 1",
            "{ }",
            "{ a = 1 }",
            "{ $ = 1 }",
            "{ $.a }",
            "{ $.a = }",
            "{ $.a ~ 1 }",
            "{ $.a > x }",
            "{ $.a = \"x }",
            "{ $.a = 1 && }",
            "{ || $.a = 1 }",
            "{ $.a = 1 & $.b = 2 }",
            "{ $.a = 1 $.b = 2 }",
            "{ ($.a = 1 }",
            "{ $.a = 1) }",
            "{ $.a IS MAYBE }",
            "{ $.a IS }",
            "{ $.a NOT }",
            "{ $.a[x] = 1 }",
            "{ $.a[1 = 1 }",
            "{ $.['a = 1 }",
            "{ $.. = 1 }",
            "{ $.a = %(% }",
            "\"open",
            "\"\"",
            "?",
            "-",
            "a@b",
            "\"a\"b",
            "%open",
            "%%",
            "%a!%",
            "%[%",
            "%(a)%",
            "%[a-z]{1000}{1000}%",
            "[ip, user]",
        ] {
            let refused = wanted(pattern, &[]).expect_err(pattern);
            assert!(refused.starts_with("Invalid filter pattern: "), "{refused}");
        }
    }

    #[test]
    fn regular_expressions_and_parentheses_have_limits() {
        use crate::limits::FILTER_PATTERN_DEPTH_MAX;
        let regexes = |count: usize| vec!["%a%"; count].join(" ");
        assert_eq!(wanted(&regexes(FILTER_PATTERN_REGEXES_MAX), &["a"]), Ok(vec!["a"]));
        assert!(wanted(&regexes(FILTER_PATTERN_REGEXES_MAX + 1), &["a"]).is_err());
        let regexes = |count: usize| format!("{{ {} }}", vec!["$.a = %a%"; count].join(" && "));
        assert!(wanted(&regexes(FILTER_PATTERN_REGEXES_MAX), &[]).is_ok());
        assert!(wanted(&regexes(FILTER_PATTERN_REGEXES_MAX + 1), &[]).is_err());
        let nested = |depth: usize| format!("{{ {}$.a = 1{} }}", "(".repeat(depth), ")".repeat(depth));
        assert!(wanted(&nested(FILTER_PATTERN_DEPTH_MAX), &[]).is_ok());
        assert!(wanted(&nested(FILTER_PATTERN_DEPTH_MAX + 1), &[]).is_err());
    }
}
