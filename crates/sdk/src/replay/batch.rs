//! How the outcome of a batch is written down.
//!
//! A batch that is small is written whole. Of a large one only who had ended is: replay makes the rest anew, and must
//! not see more than was seen the first time.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::completion::CompletionReason;
use crate::wire::ErrorObject;

/// What became of the branches that were started.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcomes {
    pub(crate) items: Vec<Item>,
    pub(crate) reason: CompletionReason,
}

/// What became of a branch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) index: usize,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It gave this text.
    Succeeded(String),
    /// It failed.
    Failed(ErrorObject),
    /// It was not over when the batch was.
    Started,
}

/// What is left of a large batch: who had ended, and how.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    #[serde(rename = "type")]
    kind: String,
    total_count: usize,
    success_count: usize,
    failure_count: usize,
    started_count: usize,
    completion_reason: CompletionReason,
    status: String,
    /// A character for each branch that was started, by index: `S`ucceeded, `F`ailed, or `-`.
    item_statuses: String,
}

impl Summary {
    /// Returns the indexes of the branches that had ended, and how many there were to start.
    pub(crate) fn ended(&self) -> impl Iterator<Item = usize> + '_ {
        self.item_statuses.char_indices().filter(|(_, status)| *status != '-').map(|(index, _)| index)
    }

    /// Returns how many branches were started.
    pub(crate) fn started(&self) -> usize {
        self.item_statuses.len()
    }

    /// Returns why the batch ended.
    pub(crate) fn reason(&self) -> CompletionReason {
        self.completion_reason
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WholeShape<'a> {
    #[serde(borrow)]
    all: Vec<ItemShape<'a>>,
    completion_reason: CompletionReason,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemShape<'a> {
    index: usize,
    status: String,
    /// The result, if its text is JSON.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    /// The result, if its text is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

impl Outcomes {
    /// Writes everything.
    pub(crate) fn whole(&self) -> String {
        let all = self.items.iter().map(ItemShape::of).collect();
        let shape = WholeShape { all, completion_reason: self.reason };
        serde_json::to_string(&shape).expect("shapes serialise")
    }

    /// Reads what [`Self::whole`] wrote.
    ///
    /// # Errors
    /// If something else wrote it.
    pub(crate) fn read(text: &str) -> Result<Self, serde_json::Error> {
        let shape: WholeShape<'_> = serde_json::from_str(text)?;
        let items = shape.all.into_iter().map(ItemShape::read).collect();
        Ok(Self { items, reason: shape.completion_reason })
    }

    /// Writes who had ended.
    pub(crate) fn summary(&self, kind: &str) -> String {
        let count = |letter| self.items.iter().filter(|item| item.outcome.letter() == letter).count();
        let (success_count, failure_count) = (count('S'), count('F'));
        let summary = Summary {
            kind: format!("{kind}Result"),
            total_count: self.items.len(),
            success_count,
            failure_count,
            started_count: count('-'),
            completion_reason: self.reason,
            status: if failure_count == 0 { "SUCCEEDED" } else { "FAILED" }.to_owned(),
            item_statuses: self.items.iter().map(|item| item.outcome.letter()).collect(),
        };
        serde_json::to_string(&summary).expect("shapes serialise")
    }
}

impl Outcome {
    fn letter(&self) -> char {
        match self {
            Self::Succeeded(_) => 'S',
            Self::Failed(_) => 'F',
            Self::Started => '-',
        }
    }
}

impl<'a> ItemShape<'a> {
    fn of(item: &'a Item) -> Self {
        let empty = Self { index: item.index, status: String::new(), result: None, result_text: None, error: None };
        match &item.outcome {
            Outcome::Succeeded(text) => {
                let status = "SUCCEEDED".to_owned();
                // Blanks around JSON would be lost, and a serdes may mean them.
                match serde_json::from_str::<&RawValue>(text).ok().filter(|json| json.get() == text) {
                    Some(json) => Self { status, result: Some(json), ..empty },
                    None => Self { status, result_text: Some(text.clone()), ..empty },
                }
            }
            Outcome::Failed(error) => Self { status: "FAILED".to_owned(), error: Some(error.clone()), ..empty },
            Outcome::Started => Self { status: "STARTED".to_owned(), ..empty },
        }
    }

    fn read(self) -> Item {
        let outcome = match (self.status.as_str(), self.result_text) {
            ("SUCCEEDED", Some(text)) => Outcome::Succeeded(text),
            // JSON's null reads as nothing.
            ("SUCCEEDED", None) => Outcome::Succeeded(self.result.map_or("null", RawValue::get).to_owned()),
            ("FAILED", _) => Outcome::Failed(self.error.unwrap_or_default()),
            (_, _) => Outcome::Started,
        };
        Item { index: self.index, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Outcomes {
        let texts = [r#"{"a": [1,2]}"#, "null", "not json", "\"quoted\"", " 1 ", ""];
        let mut items: Vec<Item> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| Item { index, outcome: Outcome::Succeeded((*text).to_owned()) })
            .collect();
        items.push(Item { index: 6, outcome: Outcome::Failed(ErrorObject::new("A", "b")) });
        items.push(Item { index: 7, outcome: Outcome::Started });
        Outcomes { items, reason: CompletionReason::FailureToleranceExceeded }
    }

    #[test]
    fn every_text_is_read_as_it_was_written() {
        let outcomes = outcomes();
        assert_eq!(Outcomes::read(&outcomes.whole()).unwrap(), outcomes);
    }

    #[test]
    fn a_summary_says_who_had_ended() {
        let summary: Summary = serde_json::from_str(&outcomes().summary("Map")).unwrap();
        assert_eq!(summary.ended().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((summary.started(), summary.started_count, summary.failure_count), (8, 1, 1));
        assert_eq!(summary.reason(), CompletionReason::FailureToleranceExceeded);
    }
}
