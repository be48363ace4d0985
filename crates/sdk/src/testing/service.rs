//! The durable service in the process: what the SDK says goes, as JSON, through the validation and the engine of the
//! server; and faults happen on the way.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everstep_api::checkpoint as api;
use everstep_api::envelope;
use everstep_core::id::{ExecutionArn, ExecutionId};
use everstep_core::limits::PAGE_ITEMS_MAX;
use everstep_core::token::CheckpointToken;
use everstep_core::{Intake, Rejection, Timestamp, view};
use everstep_engine::Functions as _;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::faults::Treatment;
use super::functions::Stage;
use crate::clock::Clock;
use crate::service::{Service, ServiceError, ServiceFuture};
use crate::wire::{CheckpointRequest, CheckpointResponse, Page, Update};

/// The service as one invocation has it.
pub(super) struct Local {
    stage: Stage,
    execution: ExecutionId,
    /// Its process dies.
    pub(super) dies: Notify,
    started_at: Instant,
    /// How much of the time that passed since then the durable clock knows of.
    caught_up: Mutex<Duration>,
}

impl Local {
    pub(super) fn new(stage: Stage, execution: ExecutionId) -> Self {
        Self { stage, execution, dies: Notify::new(), started_at: Instant::now(), caught_up: Mutex::default() }
    }

    async fn take(&self, arn: &str, request: &CheckpointRequest) -> Result<CheckpointResponse, ServiceError> {
        if request.updates.is_empty() {
            self.catch_up();
        }
        let script = &self.stage.script;
        if !script.is_about(self.execution) {
            return self.pass_on(arn, request).await;
        }
        let number = script.next_checkpoint(&request.updates);
        if let Some(playback) = &script.playback {
            let Some(updates) = playback.told_again(&request.updates) else {
                self.dies.notify_one();
                return std::future::pending().await;
            };
            return self.pass_on(arn, &CheckpointRequest { updates, ..request.clone() }).await;
        }
        let treatment = script.faults.treat(number, &request.updates);
        let note = |what: &str| script.diary.note(format!("  fault: {what}"));
        match treatment {
            Treatment::Take => self.pass_on(arn, request).await,
            Treatment::Crash { updates_taken } => {
                note(&format!("the process dies after {updates_taken} of the updates were taken"));
                let updates: Vec<Update> = request.updates[..updates_taken].to_vec();
                if !updates.is_empty() {
                    self.pass_on(arn, &CheckpointRequest { updates, ..request.clone() }).await?;
                }
                self.dies.notify_one();
                std::future::pending().await
            }
            Treatment::LoseReply => {
                note("it is taken, and the reply is lost");
                self.pass_on(arn, request).await?;
                Err(ServiceError::Transient("the service did not answer: the test wanted it so".into()))
            }
            Treatment::StaleToken => {
                note("its token was spent before");
                let checkpoint_token = self.spent(&request.checkpoint_token);
                self.pass_on(arn, &CheckpointRequest { checkpoint_token, ..request.clone() }).await
            }
            Treatment::Throttle => {
                note("it is refused: too many requests");
                Err(ServiceError::of_answer(429, "TooManyRequestsException", "Rate exceeded"))
            }
        }
    }

    /// Does what the server does with a checkpoint.
    async fn pass_on(&self, arn: &str, request: &CheckpointRequest) -> Result<CheckpointResponse, ServiceError> {
        let engine = self.stage.engine();
        let mut intake = Intake::default();
        let request: api::CheckpointRequest = carried_over(request)?;
        let checkpoint = request.validate(&mut intake).map_err(|message| refused("ValidationException", message))?;
        let token = self.opened(arn, &checkpoint.checkpoint_token)?;
        let mut updates = Vec::with_capacity(checkpoint.updates.len());
        for update in checkpoint.updates {
            let target = match update.chained_function() {
                Some(function) => Some(self.stage.resolve(function).await.into_target()),
                None => None,
            };
            updates.push(update.aimed_at(target));
        }
        let answer = engine.checkpoint(token, checkpoint.client_token, updates, intake.into_texts()).await;
        let answer = answer.map_err(engine_error)?;
        carried_over(&api::CheckpointResponse::new(answer.token, &answer.operations, &answer.texts))
    }

    async fn page(&self, arn: &str, token: &str, marker: &str) -> Result<Page, ServiceError> {
        let engine = self.stage.engine();
        let token = self.opened(arn, token)?;
        let execution = engine.execution(token.execution).await.map_err(engine_error)?.ok_or_else(stale)?;
        execution.check_token(&token).map_err(|rejection| engine_error(rejection.into()))?;
        let from = marker.parse().map_err(|_| refused("InvalidParameterValueException", "Invalid Marker".into()))?;
        let shown: Vec<_> = view::replayed_operations(&execution).into_iter().cloned().collect();
        let payloads: Vec<_> = shown.iter().flat_map(|operation| view::payloads(operation)).collect();
        let texts = engine.texts(token.execution, &payloads, &Vec::new()).await.map_err(engine_error)?;
        carried_over(&envelope::state(&execution, &shown, Some(from), PAGE_ITEMS_MAX, &texts))
    }

    fn opened(&self, arn: &str, sealed: &str) -> Result<CheckpointToken, ServiceError> {
        let arn: ExecutionArn = arn.parse().map_err(|_| stale())?;
        let token = self.stage.engine().keys().open_checkpoint(sealed).ok_or_else(stale)?;
        if token.execution.to_string() == arn.id { Ok(token) } else { Err(stale()) }
    }

    /// Returns the token before this one.
    fn spent(&self, sealed: &str) -> String {
        let engine = self.stage.engine();
        let token = engine.keys().open_checkpoint(sealed).expect("the SDK sends tokens as it got them");
        let before = match token.checkpoint {
            0 => CheckpointToken { invocation: token.invocation - 1, ..token },
            checkpoint => CheckpointToken { checkpoint: checkpoint - 1, ..token },
        };
        engine.keys().seal_checkpoint(&before)
    }

    /// Lets the durable clock catch up with the time that the handler's code took. Only whoever asks for news needs that:
    /// otherwise it stands, so that tests see the same times whenever they run.
    fn catch_up(&self) {
        let mut caught_up = self.caught_up.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = self.started_at.elapsed();
        self.stage.engine().clock().advance(passed.saturating_sub(*caught_up));
        *caught_up = passed;
    }
}

impl Service for Local {
    fn checkpoint<'a>(&'a self, arn: &'a str, request: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse> {
        Box::pin(self.take(arn, request))
    }

    fn state<'a>(&'a self, arn: &'a str, token: &'a str, marker: &'a str) -> ServiceFuture<'a, Page> {
        Box::pin(self.page(arn, token, marker))
    }

    fn clock(&self) -> Clock {
        let stage = self.stage.clone();
        Clock::new(move || system_time(stage.engine().clock().now()))
    }

    /// The driver goes by the time that it would be if it asked now.
    fn now(&self) -> SystemTime {
        let caught_up = *self.caught_up.lock().unwrap_or_else(PoisonError::into_inner);
        self.clock().now() + self.started_at.elapsed().saturating_sub(caught_up)
    }
}

/// Returns a point of durable time as everybody else has it.
pub(super) fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or_default())
}

/// Carries a shape to the other side of the wire.
fn carried_over<T: DeserializeOwned>(shape: &impl serde::Serialize) -> Result<T, ServiceError> {
    let json = serde_json::to_vec(shape).expect("shapes serialise");
    serde_json::from_slice(&json).map_err(|error| refused("SerializationException", error.to_string()))
}

fn refused(error_type: &str, message: String) -> ServiceError {
    ServiceError::of_answer(400, error_type, &message)
}

fn stale() -> ServiceError {
    engine_error(Rejection::checkpoint_token().into())
}

fn engine_error(error: everstep_engine::Error) -> ServiceError {
    match error {
        everstep_engine::Error::Rejected(rejection) => refused("InvalidParameterValueException", rejection.message),
        error @ (everstep_engine::Error::Store(_) | everstep_engine::Error::NameTaken(_)) => {
            ServiceError::of_answer(500, "ServiceException", &error.to_string())
        }
    }
}
