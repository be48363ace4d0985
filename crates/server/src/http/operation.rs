//! How a service declares the operations that it serves.

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
