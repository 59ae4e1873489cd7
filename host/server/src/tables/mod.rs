//! The server's tables: one file a group of tables, with its SQL as constants.
//!
//! What belongs to a tenant is only read and written through a [`Scoped`] value, so that no query
//! can leave the tenant out. The scheduler and the operator have functions of their own.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod events;
pub(crate) mod fires;
pub(crate) mod hooks;
pub(crate) mod people;
pub(crate) mod queue;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod scripts;
pub(crate) mod sources;
pub(crate) mod subscriptions;
pub(crate) mod tenants;
pub(crate) mod tokens;
pub(crate) mod traces;

/// The tenant whose rows a query may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Scoped(pub(crate) i64);

/// Names the SQL of a file, and lists it for the test that prepares all of it.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(const $name: &str = $sql;)*
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}
pub(crate) use statements;

#[cfg(test)]
mod tests {
    use kael_store::{Mode, Store, Value};

    #[test]
    fn every_statement_fits_the_tables() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("kael.db"), Mode::Exclusive).expect("a store");
        let groups = [
            super::alerts::ALL,
            super::audit::ALL,
            super::events::ALL,
            super::fires::ALL,
            super::hooks::ALL,
            super::people::ALL,
            super::queue::ALL,
            super::restore::ALL,
            super::retention::ALL,
            super::runs::ALL,
            super::schedules::ALL,
            super::scripts::ALL,
            super::sources::ALL,
            super::subscriptions::ALL,
            super::tenants::ALL,
            super::tokens::ALL,
            super::traces::ALL,
        ];
        let checked = store.read_blocking(|tx| {
            for (name, sql) in groups.into_iter().flatten() {
                // EXPLAIN compiles a statement and runs none of it.
                let is_used = |number: &usize| sql.contains(&format!("?{number}"));
                let parameters = vec![Value::Null; (1..).take_while(is_used).count()];
                let explained = tx.query(&format!("EXPLAIN {sql}"), &parameters, |_| Ok(()));
                explained.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            }
            Ok(())
        });
        checked.expect("a read");
    }
}
