//! Parameters: what a template declares, and the values it is given.

use std::collections::{BTreeMap, BTreeSet};

use fancy_regex::Regex;
use serde_json::{Map, Value};

use crate::Invalid;
use crate::limits::{PARAMETER_VALUE_BYTES_MAX, PARAMETERS_MAX};
use crate::reduce::text_of;
use crate::template::{check_names, object};

/// The `Parameters` section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Parameter>);

/// One declared parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameter {
    /// `String`, `Number`, `AWS::SSM::Parameter::Value<String>`, …, as written.
    pub parameter_type: String,
    /// The value if none is given.
    pub default: Option<String>,
    /// Its value is shown to nobody.
    pub no_echo: bool,
    /// For people.
    pub description: Option<String>,
    /// The only values it may have.
    pub allowed_values: Vec<String>,
    /// A regular expression that the whole value matches.
    pub allowed_pattern: Option<String>,
    /// Words for a value that breaks a constraint.
    pub constraint_description: Option<String>,
    /// In characters.
    pub min_length: Option<u64>,
    /// In characters.
    pub max_length: Option<u64>,
    /// The smallest number.
    pub min_value: Option<f64>,
    /// The largest number.
    pub max_value: Option<f64>,
}

/// What somebody gives for the parameters of a template.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// By name: a value, or the one that the stack has.
    pub values: BTreeMap<String, GivenValue>,
    /// The values that the stack has, by name.
    pub previous: BTreeMap<String, String>,
    /// What SSM has, for the names that [`Parameters::ssm_names`] returned. A `StringList` as SSM keeps it, with commas.
    pub ssm: BTreeMap<String, String>,
}

/// A value for a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum GivenValue {
    /// `ParameterValue`.
    Value(String),
    /// `UsePreviousValue`.
    Previous,
}

/// What a parameter's type means for its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Texts,
    Numbers,
    /// The value is the name of an SSM parameter, whose value counts.
    Ssm {
        list: bool,
    },
}

impl Parameters {
    /// Reads the section of a template, transformed or not.
    ///
    /// # Errors
    /// [`Invalid`] if a declaration is wrong.
    pub fn read(template: &Value) -> Result<Self, Invalid> {
        let section = object(template, "Parameters")?;
        check_names(&section, "Parameter")?;
        if section.len() > PARAMETERS_MAX {
            let found = section.len();
            let message = format!("Number of parameters, {found}, is greater than maximum allowed, {PARAMETERS_MAX}");
            return Err(Invalid::format(message));
        }
        let read = |(name, value): (&String, &Value)| Ok((name.clone(), Parameter::read(name, value)?));
        Ok(Self(section.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Iterates over the declared parameters by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Parameter)> {
        self.0.iter().map(|(name, parameter)| (name.as_str(), parameter))
    }

    /// Returns the values as they were given or declared, by name: what a stack shows and keeps.
    ///
    /// # Errors
    /// [`Invalid`] if one is missing, is not declared, or breaks a constraint.
    pub fn raw(&self, given: &Given) -> Result<BTreeMap<String, String>, Invalid> {
        let unknown: Vec<&str> =
            given.values.keys().filter(|name| !self.0.contains_key(*name)).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(Invalid::new(format!("Parameters: [{}] do not exist in the template", unknown.join(", "))));
        }
        let mut values = BTreeMap::new();
        let mut missing = vec![];
        for (name, parameter) in &self.0 {
            let value = match given.values.get(name) {
                Some(GivenValue::Value(value)) => Some(value),
                Some(GivenValue::Previous) => given.previous.get(name),
                None => parameter.default.as_ref(),
            };
            match value {
                Some(value) => {
                    parameter.check(name, value)?;
                    values.insert(name.clone(), value.clone());
                }
                None => missing.push(name.as_str()),
            }
        }
        if missing.is_empty() {
            Ok(values)
        } else {
            Err(Invalid::new(format!("Parameters: [{}] must have values", missing.join(", "))))
        }
    }

    /// Returns the names of the SSM parameters whose values [`Given::ssm`] must have.
    ///
    /// # Errors
    /// Those of [`Parameters::raw`].
    pub fn ssm_names(&self, given: &Given) -> Result<BTreeSet<String>, Invalid> {
        let raw = self.raw(given)?;
        let by_ssm = raw.into_iter().filter(|(name, _)| matches!(self.0[name].kind(), Kind::Ssm { .. }));
        Ok(by_ssm.map(|(_, value)| value).collect())
    }

    /// Returns what `Ref` gives for each parameter: a text or a list of texts.
    ///
    /// # Errors
    /// Those of [`Parameters::raw`]; and if SSM has no value.
    pub fn values(&self, given: &Given) -> Result<BTreeMap<String, Value>, Invalid> {
        let texts = |value: &str| Value::Array(value.split(',').map(|item| Value::from(item.trim())).collect());
        let raw = self.raw(given)?;
        let value = |(name, value): (String, String)| {
            let value = match self.0[&name].kind() {
                Kind::Text | Kind::Number => Value::from(value),
                Kind::Texts if value.is_empty() => Value::Array(vec![]),
                Kind::Texts | Kind::Numbers => texts(&value),
                Kind::Ssm { list } => {
                    let stored = given.ssm.get(&value).ok_or_else(|| {
                        Invalid::new(format!(
                            "Unable to fetch parameters [{value}] from parameter store for this account."
                        ))
                    })?;
                    if list { texts(stored) } else { Value::from(stored.as_str()) }
                }
            };
            Ok((name, value))
        };
        raw.into_iter().map(value).collect()
    }
}

impl Parameter {
    fn read(name: &str, value: &Value) -> Result<Self, Invalid> {
        let members = value.as_object();
        let members =
            members.ok_or_else(|| Invalid::format(format!("Every Parameters object must be an object: [{name}]")))?;
        let known = [
            "Type",
            "Default",
            "NoEcho",
            "Description",
            "AllowedValues",
            "AllowedPattern",
            "ConstraintDescription",
            "MinLength",
            "MaxLength",
            "MinValue",
            "MaxValue",
        ];
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(Invalid::new(format!("Invalid template parameter property '{unknown}'")));
        }
        let kind = members
            .get("Type")
            .ok_or_else(|| Invalid::format("Every Parameters object must contain a Type member."))?;
        let parameter_type = kind.as_str().unwrap_or_default().to_owned();
        let text = |key: &str| match members.get(key) {
            None => Ok(None),
            Some(value) => {
                text_of(value).map(Some).ok_or_else(|| Invalid::format(format!("Every {key} member must be a string.")))
            }
        };
        let whole = |key: &str| number(members, name, key).map(|value: Option<u64>| value);
        let parameter = Self {
            parameter_type,
            default: text("Default")?,
            no_echo: text("NoEcho")?.is_some_and(|value| value == "true"),
            description: text("Description")?,
            allowed_values: match members.get("AllowedValues") {
                None => vec![],
                Some(values) => {
                    let texts = values.as_array().and_then(|values| values.iter().map(text_of).collect());
                    texts.ok_or_else(|| Invalid::format("Every AllowedValues member must be a list of strings."))?
                }
            },
            allowed_pattern: text("AllowedPattern")?,
            constraint_description: text("ConstraintDescription")?,
            min_length: whole("MinLength")?,
            max_length: whole("MaxLength")?,
            min_value: number(members, name, "MinValue")?,
            max_value: number(members, name, "MaxValue")?,
        };
        if kind_of(&parameter.parameter_type).is_none() {
            return Err(Invalid::format(format!("Unrecognized parameter type: {}", parameter.parameter_type)));
        }
        if let Some(pattern) = &parameter.allowed_pattern {
            whole_pattern(pattern).map_err(|_| {
                Invalid::format(format!("AllowedPattern of parameter {name} is no regular expression: {pattern}"))
            })?;
        }
        Ok(parameter)
    }

    fn kind(&self) -> Kind {
        kind_of(&self.parameter_type).expect("a parameter with another type is not read")
    }

    /// Fails if a value breaks a constraint.
    fn check(&self, name: &str, value: &str) -> Result<(), Invalid> {
        let failed = |constraint: String| {
            let words = self.constraint_description.as_ref();
            Invalid::new(match words {
                Some(words) => format!("Parameter '{name}' failed to satisfy constraint: {words}"),
                None => format!("Parameter '{name}' {constraint}"),
            })
        };
        if value.len() > PARAMETER_VALUE_BYTES_MAX {
            return Err(Invalid::new(format!(
                "Parameter '{name}' must contain at most {PARAMETER_VALUE_BYTES_MAX} bytes"
            )));
        }
        let items: Vec<&str> = match self.kind() {
            Kind::Texts | Kind::Numbers => value.split(',').map(str::trim).collect(),
            Kind::Text | Kind::Number | Kind::Ssm { .. } => vec![value],
        };
        for item in items {
            if matches!(self.kind(), Kind::Number | Kind::Numbers) {
                let number = item.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                let number = number.ok_or_else(|| Invalid::new(format!("Parameter '{name}' must be a number")))?;
                if let Some(least) = self.min_value.filter(|least| number < *least) {
                    return Err(failed(format!("must be a number not less than {least}")));
                }
                if let Some(most) = self.max_value.filter(|most| number > *most) {
                    return Err(failed(format!("must be a number not greater than {most}")));
                }
            }
            if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| allowed == item) {
                return Err(failed(format!("must be one of AllowedValues: [{}]", self.allowed_values.join(", "))));
            }
            let characters = item.chars().count() as u64;
            if let Some(least) = self.min_length.filter(|least| characters < *least) {
                return Err(failed(format!("must contain at least {least} characters")));
            }
            if let Some(most) = self.max_length.filter(|most| characters > *most) {
                return Err(failed(format!("must contain at most {most} characters")));
            }
            if let Some(pattern) = &self.allowed_pattern {
                let matches = whole_pattern(pattern).is_ok_and(|pattern| pattern.is_match(item).unwrap_or(false));
                if !matches {
                    return Err(failed(format!("must match pattern {pattern}")));
                }
            }
        }
        Ok(())
    }
}

/// A pattern that must match all of a value. Patterns are Java's: they may look around.
fn whole_pattern(pattern: &str) -> Result<Regex, Box<fancy_regex::Error>> {
    Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(Box::new)
}

fn kind_of(name: &str) -> Option<Kind> {
    if let Some(inner) = name.strip_prefix("AWS::SSM::Parameter::Value<").and_then(|rest| rest.strip_suffix('>')) {
        let list = match kind_of(inner)? {
            Kind::Text => false,
            Kind::Texts => true,
            Kind::Number | Kind::Numbers | Kind::Ssm { .. } => return None,
        };
        return Some(Kind::Ssm { list });
    }
    if let Some(inner) = name.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>')) {
        return match kind_of(inner)? {
            Kind::Text => Some(Kind::Texts),
            Kind::Number => Some(Kind::Numbers),
            Kind::Texts | Kind::Numbers | Kind::Ssm { .. } => None,
        };
    }
    match name {
        "String" | "AWS::SSM::Parameter::Name" => Some(Kind::Text),
        "Number" => Some(Kind::Number),
        "CommaDelimitedList" => Some(Kind::Texts),
        // AWS knows the resources behind these; here they are texts.
        name => {
            let well_formed = name.starts_with("AWS::EC2::") || name.starts_with("AWS::Route53::");
            well_formed.then_some(Kind::Text)
        }
    }
}

fn number<T: std::str::FromStr>(members: &Map<String, Value>, name: &str, key: &str) -> Result<Option<T>, Invalid> {
    let read = |value: &Value| {
        let parsed = text_of(value).and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| Invalid::format(format!("{key} of parameter {name} must be a number")))
    };
    members.get(key).map(read).transpose()
}
