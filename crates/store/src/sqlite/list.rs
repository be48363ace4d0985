//! Lists of executions: pages by keyset, each over the index that fits what is asked for.

use std::fmt::Write as _;
use std::str::FromStr;

use everstep_core::{ExecutionStatus, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::executions::execution_id;
use super::{failure, rows};
use crate::executions::{ListOrder, ListPosition, ListQuery, Listed, NewExecution};

pub(super) fn read(connection: &Connection, query: &ListQuery) -> rusqlite::Result<Vec<Listed>> {
    let (sql, values) = statement(query);
    connection.prepare_cached(&sql)?.query_map(params_from_iter(values), listed)?.collect()
}

/// Writes the statement. There is one text for each combination of what is asked for, which keeps the number of
/// prepared statements small; all values are parameters.
fn statement(query: &ListQuery) -> (String, Vec<Value>) {
    let ListQuery { function, version, name, status, started_after, started_before, order, after, limit } = query;
    // Named, because SQLite cannot know that few executions share a name and many a status.
    let index = match (name, function, status) {
        (Some(_), _, _) => "executions_by_name",
        (None, Some(_), Some(_)) => "executions_by_function_and_status",
        (None, Some(_), None) => "executions_by_function",
        (None, None, Some(_)) => "executions_by_status",
        (None, None, None) => "executions_by_start",
    };
    let mut sql = format!(
        "SELECT id, function, version, name, started_at, status, ended_at FROM executions INDEXED BY {index} WHERE true"
    );
    let mut values = Vec::new();
    let mut ask = |condition: &str, value: Value| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(function) = function {
        ask("function = ?", function.as_str().to_owned().into());
    }
    if let Some(version) = version {
        ask("version = ?", version.to_string().into());
    }
    if let Some(name) = name {
        ask("name = ?", name.as_str().to_owned().into());
    }
    if let Some(status) = status {
        ask("status = ?", status.as_str().to_owned().into());
    }
    // The page begins at one point: after the last page, or where the time that is asked for begins.
    let after = after.map(|ListPosition { started_at, execution }| (started_at, *execution.as_bytes()));
    let millis = |at: Timestamp| Value::from(at.as_millis());
    let (begin, beyond, direction) = match order {
        ListOrder::Ascending => {
            if let Some(started_before) = started_before {
                ask("started_at < ?", millis(*started_before));
            }
            (started_after.map(|at| (at, [u8::MAX; 16])).max(after), ">", "ASC")
        }
        ListOrder::Descending => {
            if let Some(started_after) = started_after {
                ask("started_at > ?", millis(*started_after));
            }
            (started_before.map(|at| (at, [0; 16])).into_iter().chain(after).min(), "<", "DESC")
        }
    };
    if let Some((started_at, id)) = begin {
        ask(&format!("(started_at, id) {beyond} (?, ?)"), millis(started_at));
        values.push(id.to_vec().into());
    }
    write!(sql, " ORDER BY started_at {direction}, id {direction} LIMIT ?").expect("a string takes it");
    values.push(rows(*limit).into());
    (sql, values)
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        execution: execution_id(row, 0)?,
        new: NewExecution {
            function: parsed(row, 1)?,
            version: parsed(row, 2)?,
            name: parsed(row, 3)?,
            started_at: Timestamp::from_millis(row.get(4)?),
        },
        status: parsed::<ExecutionStatus>(row, 5)?,
        ended_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
    })
}

fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: std::fmt::Display,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: T::Err| failure::unreadable(column, failure::refused(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    fn anything() -> ListQuery {
        ListQuery {
            function: None,
            version: None,
            name: None,
            status: None,
            started_after: None,
            started_before: None,
            order: ListOrder::Descending,
            after: None,
            limit: 10,
        }
    }

    /// Every combination of what can be asked for.
    fn queries() -> Vec<ListQuery> {
        let point = Timestamp::from_millis(1);
        let position =
            ListPosition { started_at: point, execution: everstep_core::id::ExecutionId::from_bytes([0; 16]) };
        let mut queries = vec![anything()];
        let additions: [fn(&mut ListQuery, Timestamp, ListPosition); 8] = [
            |query, _, _| query.function = Some("f".parse().unwrap()),
            |query, _, _| query.version = Some("1".parse().unwrap()),
            |query, _, _| query.name = Some("n".parse().unwrap()),
            |query, _, _| query.status = Some(ExecutionStatus::Running),
            |query, point, _| query.started_after = Some(point),
            |query, point, _| query.started_before = Some(point),
            |query, _, _| query.order = ListOrder::Ascending,
            |query, _, position| query.after = Some(position),
        ];
        for addition in additions {
            for mut query in queries.clone() {
                addition(&mut query, point, position);
                queries.push(query);
            }
        }
        queries
    }

    #[test]
    fn every_list_reads_through_the_index_that_fits() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::MAIN.migrate(&mut connection, 0).unwrap();
        let queries = queries();
        assert_eq!(queries.len(), 256);
        for query in queries {
            let (sql, values) = statement(&query);
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            let plan = steps.map(Result::unwrap).collect::<Vec<_>>().join("; ");
            let bound = match (&query.name, &query.function, &query.status) {
                (Some(_), None, _) => "(name=?",
                (Some(_), Some(_), _) => "(name=? AND function=?",
                (None, Some(_), Some(_)) => "(function=? AND status=?",
                (None, Some(_), None) => "(function=?",
                (None, None, Some(_)) => "(status=?",
                (None, None, None) => "",
            };
            let from_position = query.after.is_none() || query.name.is_some() || plan.contains("(started_at,id)");
            let in_order = query.name.is_some() || !plan.contains("TEMP B-TREE");
            assert!(plan.contains(bound) && from_position && in_order, "{sql}: {plan}");
        }
    }
}
