//! Roles, users and the policies that say what they may do: what the service `iam` keeps, and what decides about requests.
//!
//! Start at [`Identities::decide`]. What there is from the first start on is in `born`.

mod born;
mod grants;
mod managed_policy;
mod role;
mod user;

use std::sync::Arc;

use everstep_core::id::Place;
use everstep_iam::{Caller, Denied, Policies, Policy, Request, managed};
use everstep_store::{Catalog, Error as StoreError, Kind};

use crate::access::{Principal, Session};
use crate::documents::Documents;
use crate::functions::Functions;
use crate::sessions;
pub use born::{ROLE, once};
pub use grants::{Document, Grants, Trust};
pub use managed_policy::{ManagedPolicy, PolicyVersion};
pub use role::Role;
pub use user::User;

/// Who there is, and what they may do.
pub struct Identities {
    place: Place,
    /// The roles by name.
    pub roles: Documents<Role>,
    /// The users by name.
    pub users: Documents<User>,
    /// The policies of this account by name.
    pub policies: Documents<ManagedPolicy>,
    /// Held by whoever changes what refers to something else: attaches a policy, or removes one.
    pub changing: tokio::sync::Mutex<()>,
}

/// What somebody wants to do, on what, and whose policy besides the caller's own has a say.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// `lambda:InvokeFunction`, say.
    pub action: &'a str,
    /// An ARN, or `*`.
    pub resource: &'a str,
    /// The policy of the resource.
    pub resource_policy: Option<&'a Policy>,
    /// Whether the resource is a role to be assumed.
    pub is_trust: bool,
    /// Looks up what a condition asks for, beside what is known of the caller.
    pub context: &'a (dyn Fn(&str) -> Option<Vec<String>> + Sync),
}

/// A policy that can be attached.
pub enum Attachable {
    /// One of AWS's.
    Aws(&'static managed::ManagedPolicy),
    /// One of this account.
    Own(Arc<ManagedPolicy>),
}

impl Attachable {
    /// Returns what it says.
    pub fn policy(&self) -> &Policy {
        match self {
            Self::Aws(policy) => &policy.policy,
            Self::Own(policy) => policy.default().document.policy(),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Aws(policy) => &policy.name,
            Self::Own(policy) => &policy.name,
        }
    }
}

impl Identities {
    /// Reads who there is, after what a server is born with was made.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(catalog: Arc<dyn Catalog>, functions: &Functions) -> Result<Self, StoreError> {
        let identities = Self {
            place: functions.place().clone(),
            roles: Documents::open(catalog.clone(), Kind::Role).await?,
            users: Documents::open(catalog.clone(), Kind::User).await?,
            policies: Documents::open(catalog.clone(), Kind::ManagedPolicy).await?,
            changing: tokio::sync::Mutex::default(),
        };
        born::bear(&identities, &*catalog, functions).await?;
        Ok(identities)
    }

    /// Returns Region and account.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the ARN of something that the service `iam` keeps: `role`, `user` or `policy`.
    pub fn arn(&self, what: &str, path: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:{what}{path}{name}", self.place.account)
    }

    /// Returns the role of an ARN.
    pub fn role(&self, arn: &str) -> Option<Arc<Role>> {
        let role = self.roles.get(name_of(arn))?;
        // Compared piece by piece: this is asked with every request of a process.
        let found = arn.strip_prefix("arn:aws:iam::")?.strip_prefix(&*self.place.account)?.strip_prefix(":role")?;
        (found.strip_prefix(role.path.as_str()) == Some(&role.name)).then_some(role)
    }

    /// Returns the policy of an ARN.
    pub fn attachable(&self, arn: &str) -> Option<Attachable> {
        if let Some(policy) = managed::find(arn) {
            return Some(Attachable::Aws(policy));
        }
        let policy = self.policies.get(arn.rsplit('/').next()?)?;
        (self.arn("policy", &policy.path, &policy.name) == arn).then_some(Attachable::Own(policy))
    }

    /// Returns the ARN by which a principal is known.
    pub fn principal_arn(&self, principal: &Principal) -> String {
        let account = &self.place.account;
        match principal {
            Principal::Operator => format!("arn:aws:iam::{account}:root"),
            Principal::Process { process, .. } => process.caller.arn().expect("a session has an ARN").to_string(),
            Principal::Session(session) => {
                format!("arn:aws:sts::{account}:assumed-role/{}/{}", session.role, session.name)
            }
            Principal::User { name } => {
                let path = self.users.get(name).map_or_else(|| "/".to_string(), |user| user.path.clone());
                self.arn("user", &path, name)
            }
        }
    }

    /// Returns `aws:userid` of a principal.
    pub fn user_id(&self, principal: &Principal) -> String {
        let role_id = |name: &str| self.roles.get(name).map_or_else(|| name.to_string(), |role| role.id.clone());
        match principal {
            Principal::Operator => self.place.account.to_string(),
            Principal::Process { process, .. } => {
                format!("{}:{}", role_id(name_of(&process.role)), process.function)
            }
            Principal::Session(session) => format!("{}:{}", session.role_id, session.name),
            Principal::User { name } => self.users.get(name).map_or_else(|| name.clone(), |user| user.id.clone()),
        }
    }

    /// Returns a session of a role that a service of AWS assumed. Without the role it may do nothing.
    pub fn session_of_service(&self, role_arn: &str, name: &str) -> Principal {
        sessions::principal(Session {
            role: name_of(role_arn).into(),
            role_id: self.role(role_arn).map(|role| role.id.clone()).unwrap_or_default(),
            name: name.into(),
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: std::collections::BTreeMap::new(),
        })
    }

    /// Tells whether a service of AWS may assume a role.
    pub fn trusts(&self, role: &Role, service: &str) -> bool {
        let policies = Policies { resource: Some(role.trust.policy()), is_trust: true, ..Policies::default() };
        let request = Request {
            caller: &Caller::Service(service.into()),
            action: "sts:AssumeRole",
            resource: &self.arn("role", &role.path, &role.name),
            context: &|_| None,
        };
        policies.decide(&request).is_ok()
    }

    /// Decides about a wish. The operator may do everything but assume a role that does not trust it.
    ///
    /// # Errors
    /// AWS's sentence, if it is not allowed.
    pub fn decide(&self, principal: &Principal, wish: Wish<'_>) -> Result<(), String> {
        self.judge(principal, wish).map_err(|denied| {
            format!(
                "User: {} is not authorized to perform: {} on resource: {} {denied}",
                self.principal_arn(principal),
                wish.action,
                wish.resource
            )
        })
    }

    /// Decides about a wish.
    ///
    /// # Errors
    /// Why it is not allowed.
    pub fn judge(&self, principal: &Principal, wish: Wish<'_>) -> Result<(), Denied> {
        if *principal == Principal::Operator && !wish.is_trust {
            return Ok(());
        }
        match principal {
            Principal::Operator => {
                let caller = Caller::Root { account: self.place.account.to_string() };
                self.weigh(principal, &caller, None, None, wish)
            }
            Principal::Process { process, .. } => {
                let role = self.role(&process.role);
                self.weigh(principal, &process.caller, role.as_ref().map(|role| &role.grants), None, wish)
            }
            Principal::Session(session) => {
                let caller = self.session_caller(principal, &session.role);
                // A role that was made anew is another one.
                let role = self.roles.get(&session.role).filter(|role| role.id == session.role_id);
                self.weigh(principal, &caller, role.as_ref().map(|role| &role.grants), Some(session), wish)
            }
            Principal::User { name } => {
                let arn = self.principal_arn(principal);
                let caller = Caller::User { arn, account: self.place.account.to_string() };
                let user = self.users.get(name);
                self.weigh(principal, &caller, user.as_ref().map(|user| &user.grants), None, wish)
            }
        }
    }

    fn session_caller(&self, principal: &Principal, role: &str) -> Caller {
        let path = self.roles.get(role).map_or_else(|| "/".to_string(), |role| role.path.clone());
        Caller::Session {
            arn: self.principal_arn(principal),
            role_arn: self.arn("role", &path, role),
            account: self.place.account.to_string(),
        }
    }

    fn weigh(
        &self,
        principal: &Principal,
        caller: &Caller,
        grants: Option<&Grants>,
        session: Option<&Session>,
        wish: Wish<'_>,
    ) -> Result<(), Denied> {
        let attachable = |arn: &String| self.attachable(arn);
        let attached: Vec<Attachable> =
            grants.iter().flat_map(|grants| &grants.attached).filter_map(attachable).collect();
        let inline = grants.iter().flat_map(|grants| grants.inline.values()).map(Document::policy);
        let identity: Vec<&Policy> = inline.chain(attached.iter().map(Attachable::policy)).collect();
        let boundary = grants.and_then(|grants| grants.boundary.as_ref()).and_then(attachable);
        let passed: Vec<Attachable> =
            session.iter().flat_map(|session| &session.policy_arns).filter_map(attachable).collect();
        let passed_inline = session.iter().flat_map(|session| &session.policies).map(Document::policy);
        let passed: Vec<&Policy> = passed_inline.chain(passed.iter().map(Attachable::policy)).collect();
        let limited = session.is_some_and(|session| session.is_limited());
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_ref().map(Attachable::policy),
            session: limited.then_some(&passed),
            resource: wish.resource_policy,
            is_trust: wish.is_trust,
        };
        let context = |key: &str| (wish.context)(key).or_else(|| self.known(principal, caller, key));
        policies.decide(&Request { caller, action: wish.action, resource: wish.resource, context: &context })
    }

    /// Looks up what a condition asks for of the caller, and of the time.
    fn known(&self, principal: &Principal, caller: &Caller, key: &str) -> Option<Vec<String>> {
        let one = |text: &str| Some(vec![text.to_string()]);
        match key {
            "aws:principalaccount" => one(&self.place.account),
            "aws:resourceaccount" | "s3:resourceaccount" => one(&self.place.account),
            "aws:principalarn" => match caller {
                Caller::Session { role_arn, .. } => one(role_arn),
                Caller::User { arn, .. } => one(arn),
                Caller::Root { .. } => one(&self.principal_arn(principal)),
                Caller::Service(_) | Caller::Anonymous => None,
            },
            "aws:principaltype" => one(match principal {
                Principal::Operator => "Account",
                Principal::Process { .. } | Principal::Session(_) => "AssumedRole",
                Principal::User { .. } => "User",
            }),
            "aws:userid" => one(&self.user_id(principal)),
            "aws:username" => match principal {
                Principal::User { name } => one(name),
                Principal::Operator | Principal::Process { .. } | Principal::Session(_) => None,
            },
            "aws:currenttime" => one(&jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            "aws:epochtime" => one(&jiff::Timestamp::now().as_second().to_string()),
            "aws:requestedregion" => one(&self.place.region),
            "lambda:sourcefunctionarn" => match principal {
                Principal::Process { process, .. } => {
                    let Place { region, account } = &self.place;
                    one(&format!("arn:aws:lambda:{region}:{account}:function:{}", process.function))
                }
                Principal::Operator | Principal::Session(_) | Principal::User { .. } => None,
            },
            key => {
                let tag = key.strip_prefix("aws:principaltag/")?;
                let value = self.tag(principal, tag)?;
                one(&value)
            }
        }
    }

    /// Returns a tag of the caller; one that was passed with the session comes before the role's.
    fn tag(&self, principal: &Principal, name: &str) -> Option<String> {
        let find = |tags: &std::collections::BTreeMap<String, String>| {
            let found = tags.iter().find(|(key, _)| key.to_lowercase() == name);
            found.map(|(_, value)| value.clone())
        };
        match principal {
            Principal::Operator => None,
            Principal::Process { process, .. } => find(&self.role(&process.role)?.tags),
            Principal::Session(session) => find(&session.tags).or_else(|| find(&self.roles.get(&session.role)?.tags)),
            Principal::User { name } => find(&self.users.get(name)?.tags),
        }
    }
}

/// Returns the name in an ARN.
fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
