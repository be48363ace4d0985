//! The service `sts`: AWS's Security Token Service, which says whose a key is.

mod get_caller_identity;

use super::Services;
use super::error::Error;
use super::query::{self, Api};
use super::request::{Request, Response};

const API: Api = Api { namespace: "https://sts.amazonaws.com/doc/2011-06-15/" };

/// An operation of the Security Token Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GetCallerIdentity`
    GetCallerIdentity,
}

impl Operation {
    const ALL: [Self; 1] = [Self::GetCallerIdentity];

    /// Returns AWS's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }

    /// Finds the operation of a name.
    ///
    /// # Errors
    /// If it is none that is served.
    pub fn find(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|operation| operation.name() == name);
        found.ok_or_else(|| {
            let served = Self::ALL.map(Self::name).join(", ");
            Error::not_served(format!("Everstep does not serve {name} yet; of STS it serves {served}."))
        })
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    let result = match operation {
        Operation::GetCallerIdentity => get_caller_identity::handle(services, request),
    };
    Ok(query::answer(API, request, &result))
}
