//! Reserved concurrency: what functions have for themselves, kept with them and told to the supervisor.
//!
//! The catalog has the last word. Whoever changes it does so in turn and tells the supervisor before the next one
//! may, so that the two agree.

use std::sync::Arc;

use everstep_api::reference::FunctionReference;
use everstep_core::id::FunctionName;
use everstep_worker::Supervisor;
use tokio::sync::Mutex;
use tracing::warn;

use crate::functions::{Function, Functions};
use crate::http::error::Error;
use crate::limits::UNRESERVED_CONCURRENCY_MIN;

/// The concurrency of all functions.
pub struct Concurrency {
    functions: Functions,
    supervisor: Arc<Supervisor>,
    turn: Mutex<()>,
}

impl Concurrency {
    /// Takes over what functions have reserved.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(functions: Functions, supervisor: Arc<Supervisor>) -> Result<Self, Error> {
        let all = functions.all().await?;
        for function in &all {
            tell(&supervisor, &function.name, Some(function));
        }
        let (reserved, total) = (reserved(&all), supervisor.processes_max() as u64);
        if reserved + UNRESERVED_CONCURRENCY_MIN > total {
            warn!(reserved, processes = total, "functions have reserved more concurrency than there are processes");
        }
        Ok(Self { functions, supervisor, turn: Mutex::default() })
    }

    /// Returns how many invocations can run at once.
    pub fn total(&self) -> u64 {
        self.supervisor.processes_max() as u64
    }

    /// Returns what of it these functions leave to those that have reserved nothing.
    pub fn unreserved(&self, functions: &[Function]) -> u64 {
        self.total().saturating_sub(reserved(functions)).max(UNRESERVED_CONCURRENCY_MIN)
    }

    /// Reserves concurrency for a function, or gives it back.
    ///
    /// # Errors
    /// AWS's, if too little would be left for the others.
    pub async fn reserve(&self, reference: &FunctionReference, concurrency: Option<u32>) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let (own, others): (Vec<Function>, _) =
            self.functions.all().await?.into_iter().partition(|function| function.name == reference.function);
        if own.is_empty() {
            return Err(self.functions.missing(reference));
        }
        let left = self.total().saturating_sub(reserved(&others));
        if u64::from(concurrency.unwrap_or_default()) + UNRESERVED_CONCURRENCY_MIN > left && concurrency > Some(0) {
            return Err(Error::invalid_parameter(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_CONCURRENCY_MIN}]."
            )));
        }
        let change = self.functions.change(reference, |function| {
            function.reserved_concurrency = concurrency;
            Ok(())
        });
        let (function, ()) = change.await?;
        tell(&self.supervisor, &reference.function, Some(&function));
        Ok(())
    }

    /// Gives back what a function had reserved that is gone; unless there is one of that name again by now.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, name: &FunctionName) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let found = self.functions.load(name).await?;
        tell(&self.supervisor, name, found.as_ref().map(|(function, _)| &**function));
        Ok(())
    }
}

fn tell(supervisor: &Supervisor, name: &FunctionName, function: Option<&Function>) {
    let concurrency = function.and_then(|function| function.reserved_concurrency);
    supervisor.reserve(name.as_str(), concurrency.map(|concurrency| concurrency as usize));
}

fn reserved(functions: &[Function]) -> u64 {
    functions.iter().filter_map(|function| function.reserved_concurrency).map(u64::from).sum()
}
