//! Templates from their text to a plan, as tables of data.

mod documents;
mod functions;
mod laws;
mod parameters;
mod plans;
mod sections;
mod support;
mod types;
