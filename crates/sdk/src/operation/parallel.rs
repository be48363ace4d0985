//! CONTEXT, Parallel: different pieces of code side by side.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::sealed::{ReadResults, Reader, Run, Task, TaskFuture};
use super::batch::{Branches, Fanout};
use super::{Kind, Operation};
use crate::context::{Context, Name};
use crate::error::{Error, OperationErrorKind, Result, error_type};
use crate::serdes::{Json, Serdes, SerdesInfo};
use crate::wire::OperationType;

const PARALLEL: Kind =
    Kind { operation_type: OperationType::Context, sub_type: "Parallel", failure: OperationErrorKind::ChildFailed };
const PARALLEL_BRANCH: Kind = Kind { sub_type: "ParallelBranch", ..PARALLEL };

impl Context {
    /// Runs branches side by side, each in a context of its own: a tuple of them gives a tuple, a `Vec` a `Vec`.
    ///
    /// Awaited, it gives the results, or the first failure; see [`Fanout::batch`] for more.
    ///
    /// ```
    /// # use everstep::{Context, Result, branch};
    /// # async fn handler(name: String, mut ctx: Context) -> Result<(usize, String)> {
    /// let (length, greeting) = ctx
    ///     .parallel(
    ///         "both",
    ///         (
    ///             branch("count", async |mut ctx| Ok(ctx.step("count", async |_| Ok(name.len())).await?)),
    ///             branch("greet", async |mut ctx| Ok(ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?)),
    ///         ),
    ///     )
    ///     .await?;
    /// # Ok((length, greeting)) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::ChildFailed`] with the error of the first branch that failed.
    pub fn parallel<'a, B: Branches<'a>>(&mut self, name: impl Into<Name>, branches: B) -> Parallel<'a, B> {
        Fanout::new(Operation::call(&self.scope, name.into(), PARALLEL), PARALLEL_BRANCH, branches)
    }
}

/// Branches that were called and not yet awaited.
pub type Parallel<'a, B, M = super::batch::Values> = Fanout<'a, B, M>;

/// A branch of [`Context::parallel`]; [`branch`] makes it.
pub struct Branch<'a, T> {
    name: Option<Name>,
    body: BranchBody<'a, T>,
    serdes: Arc<dyn Serdes<T> + 'a>,
}

type BranchBody<'a, T> = Box<dyn FnOnce(Context) -> Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>> + Send + 'a>;

/// Makes a branch of [`Context::parallel`]. Without a name it is `parallel-branch-0` and so on.
pub fn branch<'a, T, F, Fut>(name: impl Into<Name>, body: F) -> Branch<'a, T>
where
    F: FnOnce(Context) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T>> + Send + 'a,
    T: Serialize + DeserializeOwned + Send + 'a,
{
    let name = Some(name.into()).filter(|name| *name != Name::NONE);
    Branch { name, body: Box::new(move |context| Box::pin(body(context))), serdes: Arc::new(Json) }
}

impl<'a, T: Send + 'a> Branch<'a, T> {
    /// Sets how the result becomes text.
    #[must_use]
    pub fn serdes(mut self, serdes: impl Serdes<T> + 'a) -> Self {
        self.serdes = Arc::new(serdes);
        self
    }

    /// Returns what runs, and what reads its result.
    fn split(self, index: usize) -> (Task<'a>, Arc<dyn Serdes<T> + 'a>) {
        let Self { name, body, serdes } = self;
        let name = name.unwrap_or_else(|| Name::from(format!("parallel-branch-{index}")));
        let writer = Arc::clone(&serdes);
        let run = move |context: Context, operation: Arc<Operation>| {
            let running = body(context);
            let encoded = async move {
                let value = running.await?;
                operation.encode(writer.as_ref(), &value).map_err(Error::from_object)
            };
            Box::pin(encoded) as TaskFuture<'a>
        };
        (Task { name, run: Box::new(run) }, serdes)
    }
}

impl<T> fmt::Debug for Branch<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Branch({:?})", self.name)
    }
}

impl<'a, T: Send + 'a> Branches<'a> for Vec<Branch<'a, T>> {
    type Values = Vec<T>;
    type Item = T;
}

impl<'a, T: Send + 'a> Run<'a, Vec<T>, T> for Vec<Branch<'a, T>> {
    fn split(self) -> (Vec<Task<'a>>, Reader<'a, Vec<T>, T>) {
        let (tasks, readers) = self.into_iter().enumerate().map(|(index, branch)| branch.split(index)).unzip();
        (tasks, Box::new(Results(readers)))
    }
}

/// The result of each branch is read as that branch says.
struct Results<R>(R);

impl<T> ReadResults<Vec<T>, T> for Results<Vec<Arc<dyn Serdes<T> + '_>>> {
    fn values(&self, texts: &[String], info: &SerdesInfo<'_>) -> Result<Vec<T>> {
        self.0.iter().zip(texts).map(|(serdes, text)| serdes.deserialize(text, info)).collect()
    }

    fn item(&self, index: usize, text: &str, info: &SerdesInfo<'_>) -> Result<T> {
        match self.0.get(index) {
            Some(serdes) => serdes.deserialize(text, info),
            None => Err(Error::new(error_type::NON_DETERMINISTIC, format!("there is no branch {index} any more"))),
        }
    }
}

/// Tuples of branches give tuples of values; a batch of them has JSON.
macro_rules! tuples {
    ($(($($T:ident $index:tt),+))+) => { $(
        impl<'a, $($T: Send + 'a),+> Branches<'a> for ($(Branch<'a, $T>,)+) {
            type Values = ($($T,)+);
            type Item = serde_json::Value;
        }

        impl<'a, $($T: Send + 'a),+> Run<'a, ($($T,)+), serde_json::Value> for ($(Branch<'a, $T>,)+) {
            fn split(self) -> (Vec<Task<'a>>, Reader<'a, ($($T,)+), serde_json::Value>) {
                let parts = ($(self.$index.split($index),)+);
                (vec![$(parts.$index.0),+], Box::new(Results(($(parts.$index.1,)+))))
            }
        }

        impl<$($T),+> ReadResults<($($T,)+), serde_json::Value> for Results<($(Arc<dyn Serdes<$T> + '_>,)+)> {
            fn values(&self, texts: &[String], info: &SerdesInfo<'_>) -> Result<($($T,)+)> {
                let text = |index: usize| texts.get(index).map_or("null", String::as_str);
                Ok(($(self.0.$index.deserialize(text($index), info)?,)+))
            }

            fn item(&self, _index: usize, text: &str, _info: &SerdesInfo<'_>) -> Result<serde_json::Value> {
                // A serdes of its own may write what is not JSON.
                Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
            }
        }
    )+ };
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
