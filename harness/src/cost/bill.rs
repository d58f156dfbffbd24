//! Quantities times prices, line by line.

use serde::Serialize;

use super::{
    price::{Moment, Prices},
    usage::Usage,
};

/// A bill: at the least and at the most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Bill {
    pub(crate) lines: Vec<Line>,
    pub(crate) usd_min: f64,
    pub(crate) usd_max: f64,
    /// When the oldest and the newest of the prices were read.
    pub(crate) prices_read: (&'static str, &'static str),
    /// What is assumed, and what is not on it.
    pub(crate) notes: Vec<&'static str>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) service: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) quantity_min: f64,
    pub(crate) quantity_max: f64,
    pub(crate) price_usd: f64,
    pub(crate) per: f64,
    pub(crate) usd_min: f64,
    pub(crate) usd_max: f64,
    pub(crate) source: &'static str,
    pub(crate) read_at: &'static str,
    pub(crate) read: &'static str,
    pub(crate) price_region: &'static str,
}

/// True of every bill.
pub(super) const NOTES: [&str; 4] = [
    "prices of us-east-1 without free tiers, taxes and discounts; both Regions at the same price",
    "function times are assumed, not measured on AWS: 0.3 s at 256 MB a run of the replicator, 1 s at 512 MB a health check",
    "rows of the event table count as 2 KB, as in the guide; shadow updates over MQTT count as messages and as operations",
    "not counted: logs, alarms, storage, transfer between Regions, keys of KMS, reads of the half-hourly reconcile",
];

impl Bill {
    /// Of what was used, at the prices of a time.
    pub(crate) fn of(usage: &Usage, prices: &Prices, moment: Moment) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        for (item, (least, most)) in usage.items() {
            let price = prices.of(item, moment)?;
            let usd = |quantity: f64| quantity / price.per * price.usd;
            lines.push(Line {
                service: price.service,
                unit: price.unit,
                quantity_min: least,
                quantity_max: most,
                price_usd: price.usd,
                per: price.per,
                usd_min: usd(least),
                usd_max: usd(most),
                source: price.source,
                read_at: price.read_at,
                read: price.read,
                price_region: price.region,
            });
        }
        Ok(Self {
            usd_min: lines.iter().map(|line| line.usd_min).sum(),
            usd_max: lines.iter().map(|line| line.usd_max).sum(),
            lines,
            prices_read: prices.read_between(),
            notes: NOTES.to_vec(),
        })
    }
}
