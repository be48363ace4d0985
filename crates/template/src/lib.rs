//! CloudFormation templates: reading them, giving their functions values, planning what they ask for.
//!
//! Everything here is a plain function of its arguments: no I/O, no clock, no randomness. The way of a template:
//!
//! 1. [`document::parse`] makes JSON of YAML or JSON; [`document::transforms`] names its transforms, which are applied next:
//!    [`sam::transform`].
//! 2. [`Template::read`] checks its form. [`Template::summary`] says what it needs.
//! 3. [`Template::bind`] gives the parameters values and decides conditions. [`Bound`] is what the stack shall be.
//!    ([`Parameters::ssm_names`] says first what to look up in SSM.)
//! 4. [`Bound::plan`] compares with what is [`Deployed`]: the [`Change`]s, each with those that come before it.
//! 5. While a plan is executed, [`Bound::properties`] gives each resource its properties, with what the others answer by
//!    [`Lookup`]; [`ResourceType::difference`] says what an update takes now that all is known; at the end come
//!    [`Bound::outputs`].
//! 6. [`Bound::deployed`] is what to keep for the next plan; [`Plan::removal`] takes it all away again.
//!
//! ```
//! use everstep_template::{Deployed, Given, Pseudo, Template, document};
//!
//! let text = "
//! Resources:
//!   Address:
//!     Type: AWS::SSM::Parameter
//!     Properties: {Type: String, Value: !GetAtt Logs.Arn}
//!   Logs:
//!     Type: AWS::Logs::LogGroup
//! ";
//! let template = Template::read(&document::parse(text)?)?;
//! let bound = template.bind(&Given::default(), &Pseudo::default(), &Default::default())?;
//! let plan = bound.plan(&Deployed::default(), |_| true)?;
//! let order: Vec<&str> = plan.changes.iter().map(|change| change.logical_id.as_str()).collect();
//! assert_eq!(order, ["Logs", "Address"]);
//! # Ok::<(), everstep_template::Invalid>(())
//! ```

pub mod bound;
mod cidr;
mod condition;
pub mod document;
pub mod expression;
mod graph;
mod invalid;
pub mod limits;
pub mod parameter;
pub mod plan;
mod pseudo;
mod reduce;
pub mod sam;
pub mod summary;
pub mod template;
pub mod types;

pub use bound::{Bound, OutputValue};
pub use invalid::Invalid;
pub use parameter::{Given, GivenValue, Parameter, Parameters};
pub use plan::{Action, Change, Deployed, NO_CHANGES, Plan, Planned, Replacement};
pub use pseudo::Pseudo;
pub use reduce::Lookup;
pub use summary::{Capability, Summary};
pub use template::{Policy, Template};
pub use types::{Difference, ResourceType};
