//! Checkpoint tokens: each is good for one checkpoint of one invocation, and a repetition is recognised.

use everstep_core::command::InvocationResult;
use everstep_core::id::ExecutionId;
use everstep_core::token::CheckpointToken;
use everstep_core::{Rejection, RejectionKind};

use crate::world::World;

/// Sends a checkpoint with a token that must be refused, in the words that SDKs look for.
fn check_refused(world: &mut World, token: CheckpointToken) {
    for client_token in [None, Some("new")] {
        let refusal = world.clone().try_checkpoint(token, client_token, &["STEP START x"]).unwrap_err();
        assert_eq!(refusal, Rejection::new(RejectionKind::CheckpointToken, "Invalid checkpoint token"));
    }
    assert!(world.state.check_token(&token).is_err());
}

fn token(world: &World) -> CheckpointToken {
    world.state.checkpoint_token().expect("a token is out")
}

#[test]
fn token_is_good_once() {
    let mut world = World::begun();
    let first = token(&world);
    assert_eq!((first.invocation, first.checkpoint), (1, 0));
    world.checkpoint(&[]);
    assert_eq!(token(&world).checkpoint, 1);
    check_refused(&mut world, first);
}

#[test]
fn token_of_the_future_and_of_another_invocation_is_refused() {
    let mut world = World::begun();
    let good = token(&world);
    check_refused(&mut world, CheckpointToken { checkpoint: 1, ..good });
    check_refused(&mut world, CheckpointToken { invocation: 0, ..good });
    check_refused(&mut world, CheckpointToken { invocation: 2, ..good });
    let foreign = CheckpointToken { execution: ExecutionId::from_bytes([9; 16]), ..good };
    assert!(world.state.check_token(&foreign).is_err());
    assert!(world.state.check_token(&good).is_ok());
}

#[test]
fn there_is_no_token_before_an_invocation_begins() {
    assert_eq!(World::new().state.checkpoint_token(), None);
}

#[test]
fn token_dies_with_its_invocation() {
    let mut world = World::begun();
    world.checkpoint(&["WAIT START w wait=9"]);
    let last = token(&world);
    world.pending();
    check_refused(&mut world, last);
    world.wake_after(9);
    world.begin();
    check_refused(&mut world, last);
}

#[test]
fn superseded_invocation_is_refused_and_its_answer_ignored() {
    let mut world = World::new();
    let lost = world.begin();
    let stale = token(&world);
    world.answer(InvocationResult::Lost);
    world.begin();
    check_refused(&mut world, stale);
    world.late_answer(lost, InvocationResult::Failed { error: None });
    world.succeed("ok");
    world.expect_history(
        "1 ExecutionStarted
         2 InvocationCompleted error=Runtime.ExitError
         3 InvocationCompleted
         4 ExecutionSucceeded result=ok",
    );
}

#[test]
fn token_dies_with_its_execution() {
    let stories: [fn(&mut World); 3] = [
        World::stop,
        |world| drop(world.checkpoint(&["EXECUTION SUCCEED x"])),
        |world| world.wake_after(everstep_core::limits::DURATION_SECONDS_MAX),
    ];
    for end in stories {
        let mut world = World::begun();
        let last = token(&world);
        end(&mut world);
        assert!(world.state.outcome().is_some());
        assert_eq!(world.state.checkpoint_token(), None);
        check_refused(&mut world, last);
        check_refused(&mut world, CheckpointToken { checkpoint: 1, ..last });
    }
}

#[test]
fn token_dies_at_the_deadline_even_before_the_timer_fires() {
    let mut world = World::with(|start| start.execution_timeout_seconds = 10);
    world.begin();
    let last = token(&world);
    world.pass_millis(9_999);
    world.checkpoint(&[]);
    world.pass_millis(1);
    let next = CheckpointToken { checkpoint: 1, ..last };
    let refusal = world.try_checkpoint(next, None, &[]).unwrap_err();
    assert_eq!(refusal.kind, RejectionKind::CheckpointToken);
    assert_eq!(world.state.outcome(), None);
}

#[test]
fn repetition_gets_the_first_answer() {
    let mut world = World::begun();
    let first = token(&world);
    let answer = world.try_checkpoint(first, Some("t"), &["STEP START a", "WAIT START w wait=1"]).unwrap();
    world.wake_after(1);
    assert_eq!(world.repeat(first, Some("t")), Some(format!("{answer} -> 1")));
    assert_eq!(answer, "a STARTED attempt=0, w STARTED");
    assert_eq!(world.repeat(first, Some("other")), None);
    assert_eq!(world.repeat(first, None), None);
    assert_eq!(world.repeat(token(&world), Some("t")), None);
    check_refused(&mut world, first);
}

#[test]
fn only_the_last_checkpoint_is_repeated() {
    let mut world = World::begun();
    let first = token(&world);
    world.try_checkpoint(first, Some("t"), &[]).unwrap();
    world.try_checkpoint(token(&world), Some("u"), &[]).unwrap();
    assert_eq!(world.repeat(first, Some("t")), None);
    assert!(world.repeat(CheckpointToken { checkpoint: 1, ..first }, Some("u")).is_some());
}

#[test]
fn refused_checkpoint_is_not_repeated() {
    let mut world = World::begun();
    let first = token(&world);
    world.try_checkpoint(first, Some("t"), &["WAIT START w"]).unwrap_err();
    assert_eq!(world.repeat(first, Some("t")), None);
}

#[test]
fn repetition_is_recognised_for_fifteen_minutes() {
    let mut world = World::begun();
    let first = token(&world);
    world.try_checkpoint(first, Some("t"), &[]).unwrap();
    world.pass(900);
    assert!(world.repeat(first, Some("t")).is_some());
    world.pass_millis(1);
    assert!(world.repeat(first, Some("t")).is_none());
}

#[test]
fn repetition_is_recognised_after_the_invocation_ended() {
    let mut world = World::begun();
    let first = token(&world);
    world.try_checkpoint(first, Some("t"), &["WAIT START w wait=9"]).unwrap();
    world.pending();
    assert_eq!(world.repeat(first, Some("t")), Some("w STARTED -> 1".into()));
}

#[test]
fn answer_without_a_token_is_not_repeated() {
    let mut closed = World::begun();
    let first = token(&closed);
    closed.try_checkpoint(first, Some("t"), &["EXECUTION SUCCEED x"]).unwrap();
    assert_eq!(closed.repeat(first, Some("t")), None);

    let mut paused = World::begun();
    paused.pause(None).unwrap();
    paused.try_checkpoint(first, Some("t"), &["STEP START a"]).unwrap();
    assert_eq!(paused.repeat(first, Some("t")), None);
}
