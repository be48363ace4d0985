//! Checks that every storage engine runs, one suite for each trait.
//!
//! A suite empties the store, so hand it one that nobody needs. It panics at the first guarantee that is not kept,
//! and says on standard error which check that was. It needs a Tokio runtime.

mod catalog;
mod executions;
mod logs;
pub mod sample;

pub use self::catalog::catalog;
pub use self::executions::executions;
pub use self::logs::logs;

/// Runs checks one after the other, each on an emptied store. A macro, because it names what it runs.
macro_rules! run {
    ($store:expr, $clear:path, $($check:ident,)*) => {$(
        {
            let _named = $crate::conformance::Named(stringify!($check));
            $clear(&$store).await;
            $check(std::sync::Arc::clone(&$store)).await;
        }
    )*};
}
use run;

/// Says the name of the check that panics.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("conformance check `{}` failed", self.0);
        }
    }
}
