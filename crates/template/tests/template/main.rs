//! Templates from their text to a plan, as tables of data.

mod documents;
mod functions;
mod plans;
mod support;
