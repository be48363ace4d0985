//! Pages that deletions left empty.

use rusqlite::Connection;

/// Empty pages that stay in a file to be used again.
const FREE_PAGES_KEPT: i64 = 4_096;

/// Returns the bytes of a file that hold something.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), (), |row| row.get::<_, u64>(0));
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}

/// Gives a few empty pages back to the file system, if there are many. Part of a transaction that deletes.
pub(super) fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let free: i64 = connection.prepare_cached("PRAGMA freelist_count")?.query_row((), |row| row.get(0))?;
    if free > FREE_PAGES_KEPT {
        connection.execute_batch("PRAGMA incremental_vacuum(256)")?;
    }
    Ok(())
}
