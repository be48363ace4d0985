//! Which execution is meant: by ARN, by name, or by the beginning of its id.

use anyhow::bail;
use serde_json::Value;

use crate::client::{Client, escaped};
use crate::{output, timeline};

/// How many executions of one function are looked through for a short id.
const SEARCH_MAX: usize = 10_000;

/// How many candidates are shown when it is not clear which is meant.
const CANDIDATES_SHOWN: usize = 10;

/// Characters of an id that tables show.
const SHORT_ID: usize = 8;

/// Which executions to list.
#[derive(Default)]
pub struct Filter {
    /// Of this function only.
    pub function: Option<String>,
    /// With this status only.
    pub status: Option<String>,
    /// With this name only.
    pub name: Option<String>,
    /// Started after this point, as the API takes it.
    pub started_after: Option<String>,
    /// Started before this point, as the API takes it.
    pub started_before: Option<String>,
}

/// Lists executions, newest first, at most `limit`: of one function, or of all durable ones.
pub async fn list(client: &Client, filter: &Filter, limit: usize) -> anyhow::Result<Vec<Value>> {
    let functions = match &filter.function {
        Some(function) => vec![function.clone()],
        None => durable_functions(client).await?,
    };
    let parameters = [
        ("Statuses", &filter.status),
        ("DurableExecutionName", &filter.name),
        ("StartedAfter", &filter.started_after),
        ("StartedBefore", &filter.started_before),
    ];
    let query: String =
        parameters.iter().filter_map(|(name, value)| Some(format!("&{name}={}", escaped(value.as_deref()?)))).collect();
    let page = limit.clamp(1, 1_000);
    let mut found = Vec::new();
    for function in functions {
        let path = format!("/2025-12-01/functions/{}/durable-executions?MaxItems={page}{query}", escaped(&function));
        found.extend(client.list(&path, "DurableExecutions", limit).await?);
    }
    found.sort_by(|left, right| started_at(right).total_cmp(&started_at(left)));
    found.truncate(limit);
    Ok(found)
}

/// Finds the ARN of an execution by ARN, name, or the beginning of its id.
///
/// # Errors
/// If there is none, or more than one: then with the candidates.
pub async fn execution(client: &Client, text: &str) -> anyhow::Result<String> {
    if text.starts_with("arn:") {
        return Ok(text.into());
    }
    // What is no name cannot be asked for as one; it may still be the beginning of an id.
    let mut found = Vec::new();
    if is_name(text) {
        found = list(client, &Filter { name: Some(text.into()), ..Filter::default() }, SEARCH_MAX).await?;
    }
    if found.is_empty() {
        found = list(client, &Filter::default(), SEARCH_MAX).await?;
        found.retain(|execution| !text.is_empty() && id(execution).starts_with(text));
    }
    match &found[..] {
        [] => bail!("no execution `{text}`; list them with `everstep executions list`"),
        [one] => Ok(one["DurableExecutionArn"].as_str().unwrap_or_default().into()),
        several => {
            let shown = &several[..several.len().min(CANDIDATES_SHOWN)];
            let more = several.len() - shown.len();
            let more = if more == 0 { String::new() } else { format!("… and {more} more\n") };
            bail!("{} executions match `{text}`; name one by its id or its ARN:\n{}{more}", several.len(), table(shown))
        }
    }
}

/// Lays out executions as a table.
pub fn table(executions: &[Value]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_string();
    // As many characters as tell the ids apart.
    let ids: Vec<&str> = executions.iter().map(id).collect();
    let shown = (SHORT_ID..36).find(|length| is_unambiguous(&ids, *length)).unwrap_or(36);
    let rows: Vec<[String; 5]> = executions
        .iter()
        .map(|execution| {
            let arn = execution["FunctionArn"].as_str().unwrap_or_default();
            [
                id(execution).get(..shown).unwrap_or("?").into(),
                arn.split(":function:").nth(1).unwrap_or("?").into(),
                text(&execution["DurableExecutionName"]),
                text(&execution["Status"]),
                timeline::clock_time(started_at(execution)).unwrap_or_default(),
            ]
        })
        .collect();
    output::table(["ID", "FUNCTION", "NAME", "STATUS", "STARTED"], &rows)
}

fn is_unambiguous(ids: &[&str], length: usize) -> bool {
    let beginnings: std::collections::BTreeSet<_> = ids.iter().map(|id| id.get(..length)).collect();
    beginnings.len() == ids.len()
}

async fn durable_functions(client: &Client) -> anyhow::Result<Vec<String>> {
    let functions = client.list("/2015-03-31/functions", "Functions", usize::MAX).await?;
    let durable = functions.iter().filter(|function| !function["DurableConfig"].is_null());
    Ok(durable.filter_map(|function| function["FunctionName"].as_str().map(String::from)).collect())
}

fn started_at(execution: &Value) -> f64 {
    execution["StartTimestamp"].as_f64().unwrap_or_default()
}

fn id(execution: &Value) -> &str {
    execution["DurableExecutionArn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default()
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_show_as_much_of_ids_as_tells_them_apart() {
        let execution = |id: &str, name: &str| {
            json!({
                "DurableExecutionArn": format!("arn:aws:lambda:us-east-1:1:function:f:1/durable-execution/{name}/{id}"),
                "FunctionArn": "arn:aws:lambda:us-east-1:1:function:f:1",
                "DurableExecutionName": name,
                "Status": "RUNNING",
                "StartTimestamp": 1.5,
            })
        };
        let first = execution("0f3a9c21-7777-4000-8000-000000000000", "one");
        let second = execution("0f3a9c21-7878-4000-8000-000000000000", "two");
        insta::assert_snapshot!(table(std::slice::from_ref(&first)), @r#"
        ID        FUNCTION  NAME  STATUS   STARTED
        0f3a9c21  f:1       one   RUNNING  1970-01-01 00:00:01.500Z
        "#);
        insta::assert_snapshot!(table(&[first, second]), @r#"
        ID           FUNCTION  NAME  STATUS   STARTED
        0f3a9c21-77  f:1       one   RUNNING  1970-01-01 00:00:01.500Z
        0f3a9c21-78  f:1       two   RUNNING  1970-01-01 00:00:01.500Z
        "#);
    }
}
