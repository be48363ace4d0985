//! Checkpoint tokens and callback ids: self-describing, and impossible to guess.
//!
//! Both are base64 of (format, key number, what they name, MAC). The keys live in the store, so that every
//! node and every restored backup understands every token, and they stay for longer than the longest execution.

use std::collections::BTreeMap;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::id::{ExecutionId, OperationId};
use crate::limits;

const CHECKPOINT_FORMAT: u8 = 1;
const CALLBACK_FORMAT: u8 = 2;
const MAC_BYTES: usize = 16;

/// The keys that tokens are authenticated with, by number; the highest one signs.
#[derive(Clone)]
pub struct TokenKeys(BTreeMap<u8, [u8; 32]>);

/// What a checkpoint token says: the n-th checkpoint of the n-th invocation of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointToken {
    /// The execution.
    pub execution: ExecutionId,
    /// The invocation, counted from 1.
    pub invocation: u32,
    /// How many checkpoints this invocation has had accepted before.
    pub checkpoint: u32,
}

/// What a callback id says: one operation of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackId {
    /// The execution.
    pub execution: ExecutionId,
    /// The CALLBACK operation.
    pub operation: OperationId,
}

impl TokenKeys {
    /// Takes the keys by number.
    ///
    /// # Panics
    /// If there are none: a store always has at least one.
    pub fn new(keys: BTreeMap<u8, [u8; 32]>) -> Self {
        assert!(!keys.is_empty(), "a store has at least one token key");
        Self(keys)
    }

    /// Writes a checkpoint token.
    pub fn seal_checkpoint(&self, token: &CheckpointToken) -> String {
        let mut body = token.execution.as_bytes().to_vec();
        body.extend(token.invocation.to_be_bytes());
        body.extend(token.checkpoint.to_be_bytes());
        self.seal(CHECKPOINT_FORMAT, &body)
    }

    /// Reads a checkpoint token, or `None` if it is forged or garbled.
    pub fn open_checkpoint(&self, text: &str) -> Option<CheckpointToken> {
        if text.len() > limits::CHECKPOINT_TOKEN_CHARACTERS_MAX {
            return None;
        }
        let body = self.open(CHECKPOINT_FORMAT, text)?;
        let body: &[u8; 24] = body.as_slice().try_into().ok()?;
        Some(CheckpointToken {
            execution: ExecutionId::from_bytes(body[..16].try_into().ok()?),
            invocation: u32::from_be_bytes(body[16..20].try_into().ok()?),
            checkpoint: u32::from_be_bytes(body[20..].try_into().ok()?),
        })
    }

    /// Writes a callback id.
    pub fn seal_callback(&self, callback: &CallbackId) -> String {
        let mut body = callback.execution.as_bytes().to_vec();
        body.extend(callback.operation.as_str().as_bytes());
        self.seal(CALLBACK_FORMAT, &body)
    }

    /// Reads a callback id, or `None` if it is forged or garbled.
    pub fn open_callback(&self, text: &str) -> Option<CallbackId> {
        if text.len() > limits::CALLBACK_ID_CHARACTERS_MAX {
            return None;
        }
        let body = self.open(CALLBACK_FORMAT, text)?;
        let (execution, operation) = body.split_at_checked(16)?;
        Some(CallbackId {
            execution: ExecutionId::from_bytes(execution.try_into().ok()?),
            operation: OperationId::from_str(std::str::from_utf8(operation).ok()?).ok()?,
        })
    }

    fn seal(&self, format: u8, body: &[u8]) -> String {
        let (number, key) = self.0.last_key_value().expect("checked in `new`");
        let mut bytes = vec![format, *number];
        bytes.extend(body);
        bytes.extend(mac(key, &bytes));
        STANDARD.encode(bytes)
    }

    fn open(&self, format: u8, text: &str) -> Option<Vec<u8>> {
        let mut bytes = STANDARD.decode(text).ok()?;
        let signed = bytes.len().checked_sub(MAC_BYTES).filter(|signed| *signed >= 2)?;
        let key = self.0.get(&bytes[1])?;
        let genuine: bool = bytes[signed..].ct_eq(&mac(key, &bytes[..signed])).into();
        if !genuine || bytes[0] != format {
            return None;
        }
        bytes.truncate(signed);
        bytes.drain(..2);
        Some(bytes)
    }
}

fn mac(key: &[u8; 32], bytes: &[u8]) -> [u8; MAC_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac.finalize().into_bytes()[..MAC_BYTES].try_into().expect("SHA-256 is longer than the MAC kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: &[u8]) -> TokenKeys {
        TokenKeys::new(numbers.iter().map(|number| (*number, [*number; 32])).collect())
    }

    fn token() -> CheckpointToken {
        CheckpointToken { execution: ExecutionId::from_bytes([7; 16]), invocation: 3, checkpoint: 9 }
    }

    #[test]
    fn tokens_survive_a_round_trip_and_a_new_key() {
        let sealed = keys(&[1]).seal_checkpoint(&token());
        assert_eq!(keys(&[1, 2]).open_checkpoint(&sealed), Some(token()));
        let callback = CallbackId { execution: ExecutionId::from_bytes([7; 16]), operation: "a-b".parse().unwrap() };
        assert_eq!(keys(&[1]).open_callback(&keys(&[1]).seal_callback(&callback)), Some(callback));
    }

    #[test]
    fn forged_and_garbled_tokens_are_refused() {
        let keys = keys(&[1]);
        let sealed = STANDARD.decode(keys.seal_checkpoint(&token())).unwrap();
        for position in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[position] ^= 1;
            assert_eq!(keys.open_checkpoint(&STANDARD.encode(forged)), None, "byte {position}");
        }
        for garbled in ["", "AA==", "dummyToken", "ÿ", &"A".repeat(4000)] {
            assert_eq!(keys.open_checkpoint(garbled), None);
            assert_eq!(keys.open_callback(garbled), None);
        }
    }

    #[test]
    fn one_kind_of_token_is_not_the_other() {
        let keys = keys(&[1]);
        assert_eq!(keys.open_callback(&keys.seal_checkpoint(&token())), None);
    }
}
