//! What can be wrong with a SAM template, in AWS's words. Source: `aws-sam-translator`.

use crate::Invalid;

/// One thing that is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The form of the template.
    #[error(transparent)]
    Form(#[from] Invalid),
    /// The template as a whole.
    #[error("Structure of the SAM template is invalid. {0}")]
    Structure(String),
    /// The section `Globals`.
    #[error("'Globals' section is invalid. {0}")]
    Globals(String),
    /// A resource of the template.
    #[error("Resource with id [{id}] is invalid. {message}")]
    Resource {
        /// The resource's logical id.
        id: String,
        /// What is wrong with it.
        message: String,
    },
    /// A resource that would be generated has the logical id of another one.
    #[error(
        "Transforming resource with id [{id}] attempts to create a new resource with id [{taken}] and type \"{kind}\". \
         A resource with that id already exists within this template. Please use a different id for that resource."
    )]
    Taken {
        /// The SAM resource.
        id: String,
        /// The logical id that is in the template already.
        taken: String,
        /// The type that the generated resource would have.
        kind: String,
    },
    /// A transform that is not served.
    #[error("No transform named {0} found.")]
    Transform(String),
    /// A function of `AWS::LanguageExtensions`.
    #[error("{0} of the transform AWS::LanguageExtensions is not served; write the template without it")]
    LanguageExtension(String),
}

impl Problem {
    /// Makes a problem of a resource.
    pub(super) fn resource(id: &str, message: impl Into<String>) -> Problem {
        Problem::Resource { id: id.to_owned(), message: message.into() }
    }

    /// Makes a problem of a function's event.
    pub(super) fn event(function: &str, event: &str, message: impl std::fmt::Display) -> Problem {
        Problem::resource(function, format!("Event with id [{event}] is invalid. {message}"))
    }
}

/// Returns all that is wrong as CloudFormation says it.
pub fn message(problems: &[Problem]) -> String {
    let mut text = format!(
        "Transform {} failed with: Invalid Serverless Application Specification document. Number of errors found: {}.",
        super::TRANSFORM,
        problems.len()
    );
    for problem in problems {
        text.push(' ');
        text.push_str(&problem.to_string());
    }
    text
}

/// Returns texts as Python writes a list of them, which is how AWS lists choices.
pub(super) fn listed(texts: &[&str]) -> String {
    format!("['{}']", texts.join("', '"))
}
