//! How a service declares the operations that it serves, and how one finds them by their names.

use super::error::Error;

/// Declares the enum `Operation` of a service: its name for people, the prefix of its actions, and AWS's names.
macro_rules! declare_operations {
    ($service:literal, $prefix:literal: $($name:ident)*) => {
        #[doc = concat!("An operation of ", $service, ".")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($name), "`")] $name,)*
        }

        impl Operation {
            /// Every operation that is served.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns AWS's name for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Returns the action that its sender must be allowed.
            pub fn action(self) -> &'static str {
                match self { $(Self::$name => concat!($prefix, ":", stringify!($name)),)* }
            }
        }
    };
}

pub(super) use declare_operations;

/// Returns the name of an operation out of the header `X-Amz-Target`, which begins with what `api` says.
///
/// # Errors
/// If it is none of that API.
pub(super) fn of_target<'a>(target: &'a str, api: &str) -> Result<&'a str, Error> {
    let none = || Error::unknown_operation(format!("There is no operation `{target}` in the header X-Amz-Target."));
    target.strip_prefix(api).ok_or_else(none)
}
