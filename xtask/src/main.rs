//! Placeholder while the walls go up.
fn main() {}
