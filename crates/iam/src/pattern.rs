//! Texts with `*`, `?` and policy variables.

use crate::decide::Context;

/// A pattern, ready to be matched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pattern {
    /// `*`
    Any,
    /// No wildcard in it.
    Exact(Box<str>),
    /// With wildcards.
    Glob(Vec<Token>),
    /// With variables, which the request gives a value.
    Template(Vec<Piece>),
}

/// A piece of a pattern with wildcards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token {
    /// This character.
    One(char),
    /// `?`
    AnyOne,
    /// `*`
    Any,
}

/// A piece of a pattern with variables.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Tokens(Vec<Token>),
    /// `${key}` or `${key, 'default'}`; the key is in lower case.
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

impl Pattern {
    /// Reads a pattern; `variables` says whether `${…}` means anything, and `wildcards` whether `*` and `?` do.
    pub(crate) fn read(text: &str, variables: bool, wildcards: bool) -> Self {
        let mut pieces = Vec::new();
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if variables
                && let Some(inner) = rest.strip_prefix("${")
                && let Some((name, after)) = inner.split_once('}')
            {
                rest = after;
                match name {
                    // The way to mean these characters themselves.
                    "*" | "?" | "$" => tokens.extend(name.chars().map(Token::One)),
                    _ => {
                        pieces.push(Piece::Tokens(std::mem::take(&mut tokens)));
                        pieces.push(variable(name));
                    }
                }
                continue;
            }
            tokens.push(match first {
                '*' if wildcards => Token::Any,
                '?' if wildcards => Token::AnyOne,
                character => Token::One(character),
            });
            rest = &rest[first.len_utf8()..];
        }
        if !pieces.is_empty() {
            pieces.push(Piece::Tokens(tokens));
            return Self::Template(pieces);
        }
        let exact: Option<String> = tokens
            .iter()
            .map(|token| match token {
                Token::One(character) => Some(*character),
                Token::AnyOne | Token::Any => None,
            })
            .collect();
        match exact {
            Some(exact) => Self::Exact(exact.into()),
            None if tokens == [Token::Any] => Self::Any,
            None => Self::Glob(tokens),
        }
    }

    /// Tells whether a text is like the pattern. One whose variable has no value is like nothing.
    pub(crate) fn matches(&self, text: &str, ignore_case: bool, context: Context<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) if ignore_case && exact.is_ascii() => exact.eq_ignore_ascii_case(text),
            Self::Exact(exact) if ignore_case => exact.to_lowercase() == text.to_lowercase(),
            Self::Exact(exact) => **exact == *text,
            Self::Glob(tokens) => glob(tokens, text, ignore_case),
            Self::Template(pieces) => fill(pieces, context).is_some_and(|tokens| glob(&tokens, text, ignore_case)),
        }
    }

    /// Writes the pattern with the values of its variables, for what is compared in another way.
    pub(crate) fn text(&self, context: Context<'_>) -> Option<String> {
        let written = |tokens: &[Token]| {
            let letters = tokens.iter().map(|token| match token {
                Token::One(character) => *character,
                Token::AnyOne => '?',
                Token::Any => '*',
            });
            letters.collect()
        };
        match self {
            Self::Any => Some("*".into()),
            Self::Exact(exact) => Some(exact.to_string()),
            Self::Glob(tokens) => Some(written(tokens)),
            Self::Template(pieces) => fill(pieces, context).map(|tokens| written(&tokens)),
        }
    }
}

fn variable(name: &str) -> Piece {
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => (key, Some(default.trim().trim_matches('\'').into())),
        None => (name, None),
    };
    Piece::Variable { key: key.trim().to_lowercase().into(), default }
}

/// Replaces variables by their values. Those are texts: a `*` in one means itself.
fn fill(pieces: &[Piece], context: Context<'_>) -> Option<Vec<Token>> {
    let mut filled = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Tokens(tokens) => filled.extend(tokens),
            Piece::Variable { key, default } => {
                // A key with several values cannot be a variable.
                let value = context(key).filter(|values| values.len() == 1).map(|mut values| values.remove(0));
                let value = value.or_else(|| default.as_deref().map(Into::into))?;
                filled.extend(value.chars().map(Token::One));
            }
        }
    }
    Some(filled)
}

/// Matches a text without going back further than to the last `*`.
fn glob(tokens: &[Token], text: &str, ignore_case: bool) -> bool {
    let same = |left: char, right: char| left == right || ignore_case && left.to_lowercase().eq(right.to_lowercase());
    let (mut token, mut rest) = (0, text);
    let mut star: Option<(usize, &str)> = None;
    loop {
        let next = rest.chars().next();
        match (tokens.get(token), next) {
            (Some(Token::Any), _) => {
                token += 1;
                star = Some((token, rest));
                continue;
            }
            (Some(Token::AnyOne), Some(character)) => {
                token += 1;
                rest = &rest[character.len_utf8()..];
                continue;
            }
            (Some(Token::One(expected)), Some(character)) if same(*expected, character) => {
                token += 1;
                rest = &rest[character.len_utf8()..];
                continue;
            }
            (None, None) => return true,
            (Some(Token::AnyOne | Token::One(_)) | None, _) => {}
        }
        // The last `*` takes one character more.
        let Some((after, from)) = star else { return false };
        let Some(taken) = from.chars().next() else { return false };
        let from = &from[taken.len_utf8()..];
        (token, rest, star) = (after, from, Some((after, from)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let context = |key: &str| match key {
            "aws:username" => Some(vec!["a*".to_string()]),
            "many" => Some(vec!["a".into(), "b".into()]),
            _ => None,
        };
        assert_eq!(Pattern::read(pattern, true, true).matches(text, false, &context), expected, "{pattern} {text}");
    }

    #[test]
    fn wildcards_take_what_they_may() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aüc", true),
            ("a*c", "ac", true),
            ("a*c", "abcbc", true),
            ("a*b?", "aabab", false),
            ("*ab*cd", "ababcxcd", true),
            ("a*", "b", false),
            ("?*", "", false),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn variables_are_texts_and_need_a_value() {
        check("home/${aws:username}/?", "home/a*/x", true);
        check("home/${AWS:UserName}/?", "home/ab/x", false);
        check("home/${nobody}/*", "home//x", false);
        check("home/${nobody, 'all'}/*", "home/all/x", true);
        check("home/${many}", "home/a", false);
        check("${*}${?}${$}", "*?$", true);
        check("${*}", "a", false);
        check("${open", "${open", true);
    }
}
