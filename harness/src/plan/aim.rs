//! What a plan is for: Regions and the quotas that apply in them.

use gameday_twin::{Endpoints, QuotaBook, QuotaSetting, TwinConfig};
use serde::Serialize;

use super::Place;
use crate::scenario::TwinSettings;

/// Where a scenario is to be run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Aim {
    /// `twin`, or `aws`.
    pub(crate) target: &'static str,
    pub(crate) primary: String,
    pub(crate) secondary: String,
    /// AWS's default quotas are multiplied by this.
    pub(crate) quota_scale: f64,
    pub(crate) quotas_enforced: bool,
    #[serde(skip)]
    settings: Vec<QuotaSetting>,
}

impl Aim {
    /// A twin as the scenario asks for: the embedded one, and one of its own, which a run refuses if it is another.
    pub(crate) fn twin(settings: &TwinSettings) -> Self {
        let [primary, secondary] = TwinConfig::default().regions;
        Self {
            target: "twin",
            primary,
            secondary,
            quota_scale: settings.quota_scale,
            quotas_enforced: settings.enforce_quotas,
            settings: settings.settings(),
        }
    }

    /// AWS, with its default quotas.
    pub(crate) fn aws(primary: &str, secondary: &str) -> Self {
        Self {
            target: "aws",
            primary: primary.to_owned(),
            secondary: secondary.to_owned(),
            quota_scale: 1.0,
            quotas_enforced: true,
            settings: Vec::new(),
        }
    }

    /// A twin in its own process, as it says that it is.
    pub(crate) fn of_twin(endpoints: &Endpoints) -> Self {
        let region =
            |n: usize| endpoints.regions.get(n).map(|region| region.region.clone()).unwrap_or_default();
        Self {
            target: "twin",
            primary: region(0),
            secondary: region(1),
            quota_scale: endpoints.quota_scale,
            quotas_enforced: endpoints.quotas_enforced,
            settings: Vec::new(),
        }
    }

    pub(crate) fn region(&self, place: Place) -> &str {
        match place {
            Place::Secondary => &self.secondary,
            Place::Primary | Place::Global => &self.primary,
        }
    }

    pub(crate) fn quotas(&self) -> QuotaBook {
        QuotaBook::new(self.quota_scale, &self.settings, &[self.primary.clone(), self.secondary.clone()])
    }
}
