//! Transactions: all of up to a hundred actions, or none.
//!
//! Guarantees: every condition is looked at before anything is written; what is written was checked, so that the writes
//! that follow cannot fail one by one. A token that is seen again within ten minutes makes no second write.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{
    action::Action,
    capacity::{Consumed, Direction},
    item::{Item, invalid, item_size_bytes},
    tables::Tables,
};
use crate::error::AwsError;

/// How long a token holds, as AWS has it.
const TOKEN_TIME: SignedDuration = SignedDuration::from_mins(10);
/// Tokens kept; above, the oldest go early.
const TOKENS_MAX: usize = 50_000;
/// Bytes of all items of a transaction, as AWS has it.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Tokens of transactions that were made lately.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// What was asked for with a token, as a hash.
    requests: BTreeMap<String, u64>,
    order: VecDeque<(Timestamp, String)>,
}

impl Tokens {
    /// Whether a transaction with this token was made. It must have been the same one.
    pub(crate) fn seen(&mut self, token: &str, request: u64, now: Timestamp) -> Result<bool, AwsError> {
        while let Some((at, oldest)) = self.order.front()
            && (now.duration_since(*at) >= TOKEN_TIME || self.order.len() > TOKENS_MAX)
        {
            self.requests.remove(oldest);
            self.order.pop_front();
        }
        match self.requests.get(token) {
            None => Ok(false),
            Some(known) if *known == request => Ok(true),
            Some(_) => Err(AwsError::new(
                400,
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request. Do not reuse a client \
                 token with different requests, unless the requests are identical",
            )),
        }
    }

    pub(crate) fn remember(&mut self, token: String, request: u64, now: Timestamp) {
        self.order.push_back((now, token.clone()));
        self.requests.insert(token, request);
    }
}

/// Makes all writes or none. An action may be refused already, for what its item or key is.
pub(crate) fn transact(
    tables: &mut Tables,
    region: &str,
    actions: Vec<(String, Result<Action, AwsError>)>,
    now: Timestamp,
) -> Result<BTreeMap<String, Consumed>, AwsError> {
    let mut seen = BTreeSet::new();
    for (table, action) in &actions {
        if let Ok(action) = action
            && !seen.insert((table.clone(), action.key.clone()))
        {
            return Err(invalid("Transaction request cannot include multiple operations on one item"));
        }
    }
    let mut bytes = 0;
    let mut writes = Vec::with_capacity(actions.len());
    let mut reasons = Vec::with_capacity(actions.len());
    for (name, action) in actions {
        let outcome = action.and_then(|action| {
            let table = tables.table_mut(region, &name)?;
            table.admit_write(&Consumed::default(), now)?;
            let old = table.get(&action.key).cloned();
            let key = action.key.clone();
            let is_check = action.is_check();
            let new = action.apply(old.as_deref())?;
            if let Some(item) = new.as_ref().filter(|_| !is_check) {
                table.check(item)?;
            }
            let size = |item: Option<&Item>| item.map_or(0, item_size_bytes);
            bytes += size(old.as_deref()).max(size(new.as_ref()));
            Ok((name.clone(), key, new.map(Arc::new), is_check))
        });
        match outcome {
            Ok(write) => {
                writes.push(write);
                reasons.push(json!({"Code": "None"}));
            }
            Err(error) => reasons.push(reason(error)?),
        }
    }
    if writes.len() < reasons.len() {
        return Err(cancelled(&reasons));
    }
    if bytes > BYTES_MAX {
        return Err(invalid("Collection size limit exceeded: a transaction's items have at most 4 MB"));
    }
    let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
    for (name, key, new, is_check) in writes {
        let table = tables.table_mut(region, &name)?;
        let old = table.get(&key).cloned();
        let cost = table.write_cost(old.as_deref(), new.as_deref()).doubled();
        table.charge(&cost, Direction::Write);
        consumed.entry(name.clone()).or_default().add(cost);
        if !is_check {
            tables.put_checked((region, &name), &key, new, now, false)?;
        }
    }
    Ok(consumed)
}

/// Why one action was refused. What concerns the request as a whole stays an error.
fn reason(error: AwsError) -> Result<Json, AwsError> {
    let code = match error.code {
        "ConditionalCheckFailedException" => "ConditionalCheckFailed",
        "ProvisionedThroughputExceededException" => "ProvisionedThroughputExceeded",
        "ValidationException" => "ValidationError",
        _ => return Err(error),
    };
    let mut reason = json!({"Code": code, "Message": error.message});
    let item = error.members.iter().find(|(name, _)| *name == "Item");
    if let Some(item) = item.and_then(|(_, text)| serde_json::from_str::<Json>(text).ok()) {
        reason["Item"] = item;
    }
    Ok(reason)
}

fn cancelled(reasons: &[Json]) -> AwsError {
    let codes: Vec<&str> = reasons.iter().filter_map(|r| r["Code"].as_str()).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    AwsError::new(400, "TransactionCanceledException", message)
        .with("CancellationReasons", json!(reasons).to_string())
}
