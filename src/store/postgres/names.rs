//! The numbers of the indexes' names, remembered once seen: they never change.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use super::connections::{Connections, bind};
use super::failure::{Failure, unreadable};

const FIND: &str = "SELECT name, code FROM index_name WHERE name = ANY($1::text[])";
const ADD: &str =
    "INSERT INTO index_name (name) SELECT name FROM unnest($1::text[]) AS new (name) ON CONFLICT DO NOTHING";

/// The names that were met.
#[derive(Debug, Default)]
pub(super) struct Names {
    met: RwLock<HashMap<String, i32>>,
}

impl Names {
    /// The numbers of `names`, given now to those that have none. In most calls nothing is asked of the server.
    pub(super) async fn codes(
        &self,
        connections: &Connections,
        names: &BTreeSet<&str>,
    ) -> Result<HashMap<String, i32>, Failure> {
        if let Some(codes) = self.known(names) {
            return Ok(codes);
        }
        let wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        if self.learn(connections, &wanted).await? < wanted.len() {
            // A name that is there by now, because somebody else was first, is as good.
            connections.query(ADD, &[bind(wanted.clone())]).await?;
            self.learn(connections, &wanted).await?;
        }
        self.known(names).ok_or_else(|| super::failure::corrupt("an index was given no number"))
    }

    fn known(&self, names: &BTreeSet<&str>) -> Option<HashMap<String, i32>> {
        let met = self.met.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().map(|name| Some(((*name).to_owned(), *met.get(*name)?))).collect()
    }

    async fn learn(&self, connections: &Connections, wanted: &[String]) -> Result<usize, Failure> {
        let rows = connections.query(FIND, &[bind(wanted.to_vec())]).await?;
        let found = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let found = found.collect::<Result<Vec<(String, i32)>, tokio_postgres::Error>>();
        let found = found.map_err(|error| unreadable(&error))?;
        let count = found.len();
        self.met.write().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(count)
    }
}
