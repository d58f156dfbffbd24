//! What a health check probes and how it judges: settings as the API spells them, and the checked form of them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{error::AwsError, route53::name};

/// The Regions that Route 53 checks from; a check uses all of them unless it names its own.
pub(crate) const CHECKER_REGIONS: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
];
/// Regions that a check must name if it names any.
const REGIONS_MIN: usize = 3;
const INTERVALS_S: [u32; 2] = [10, 30];
const INTERVAL_S_DEFAULT: u32 = 30;
const FAILURE_THRESHOLD_MAX: u32 = 10;
const FAILURE_THRESHOLD_DEFAULT: u32 = 3;
const TEXT_BYTES_MAX: usize = 255;

/// How a check talks to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckType {
    Http,
    Https,
    Tcp,
}

impl CheckType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
        }
    }

    pub(crate) fn port_default(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Tcp => None,
        }
    }
}

/// `HealthCheckConfig`, and the members of `UpdateHealthCheck`, which are the same but for the kind and the interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(rename = "IPAddress", skip_serializing_if = "Option::is_none")]
    pub(crate) ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u32>,
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fully_qualified_domain_name: Option<String>,
    #[serde(rename = "RequestInterval", skip_serializing_if = "Option::is_none")]
    pub(crate) request_interval_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure_threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) measure_latency: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inverted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disabled: Option<bool>,
    #[serde(rename = "EnableSNI", skip_serializing_if = "Option::is_none")]
    pub(crate) enable_sni: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regions: Option<Regions>,
    /// `UpdateHealthCheck` only.
    #[serde(skip_serializing)]
    pub(crate) health_check_version: Option<u64>,
    /// `UpdateHealthCheck` only.
    #[serde(skip_serializing)]
    pub(crate) reset_elements: Option<ResetElements>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Regions {
    #[serde(rename = "Region", default)]
    pub(crate) region: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct ResetElements {
    #[serde(rename = "ResettableElementName", default)]
    pub(crate) name: Vec<String>,
}

/// Checked settings.
#[expect(clippy::struct_excessive_bools, reason = "they are independent, and AWS's own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) kind: CheckType,
    pub(crate) ip_address: Option<IpAddr>,
    pub(crate) fqdn: Option<String>,
    pub(crate) port: u16,
    pub(crate) resource_path: Option<String>,
    pub(crate) request_interval_s: u32,
    pub(crate) failure_threshold: u32,
    pub(crate) measure_latency: bool,
    pub(crate) inverted: bool,
    pub(crate) disabled: bool,
    pub(crate) enable_sni: bool,
    /// Empty: all of them.
    regions: Vec<String>,
}

impl Config {
    pub(crate) fn new(settings: &Settings) -> Result<Self, AwsError> {
        let kind = kind(settings.kind.as_deref())?;
        let path = text("ResourcePath", settings.resource_path.as_deref())?;
        if kind == CheckType::Tcp && path.is_some() {
            return invalid("ResourcePath is not allowed for health checks of type TCP");
        }
        if kind != CheckType::Https && settings.enable_sni == Some(true) {
            return invalid("EnableSNI is only allowed for health checks of type HTTPS");
        }
        let (ip_address, fqdn) = target(settings)?;
        let request_interval_s = settings.request_interval_s.unwrap_or(INTERVAL_S_DEFAULT);
        if !INTERVALS_S.contains(&request_interval_s) {
            return invalid("RequestInterval must be 10 or 30");
        }
        let failure_threshold = settings.failure_threshold.unwrap_or(FAILURE_THRESHOLD_DEFAULT);
        if !(1..=FAILURE_THRESHOLD_MAX).contains(&failure_threshold) {
            return invalid("FailureThreshold must be between 1 and 10");
        }
        Ok(Self {
            kind,
            ip_address,
            fqdn,
            port: port(kind, settings.port)?,
            resource_path: path,
            request_interval_s,
            failure_threshold,
            measure_latency: settings.measure_latency.unwrap_or(false),
            inverted: settings.inverted.unwrap_or(false),
            disabled: settings.disabled.unwrap_or(false),
            enable_sni: settings.enable_sni.unwrap_or(kind == CheckType::Https),
            regions: regions(settings.regions.as_ref())?,
        })
    }

    /// The config after an `UpdateHealthCheck`: what it names is changed or reset, the rest stays.
    pub(crate) fn updated(&self, update: &Settings) -> Result<Self, AwsError> {
        if update.kind.is_some() || update.request_interval_s.is_some() || update.measure_latency.is_some() {
            return invalid("Type, RequestInterval and MeasureLatency of a health check cannot be changed");
        }
        let mut settings = self.settings();
        for name in update.reset_elements.iter().flat_map(|r| &r.name) {
            match name.as_str() {
                "FullyQualifiedDomainName" => settings.fully_qualified_domain_name = None,
                "ResourcePath" => settings.resource_path = None,
                "Regions" => settings.regions = None,
                "ChildHealthChecks" => {}
                _ => return invalid(&format!("{name} cannot be reset")),
            }
        }
        let u = update.clone();
        Self::new(&Settings {
            ip_address: u.ip_address.or(settings.ip_address),
            port: u.port.or(settings.port),
            resource_path: u.resource_path.or(settings.resource_path),
            fully_qualified_domain_name: u
                .fully_qualified_domain_name
                .or(settings.fully_qualified_domain_name),
            failure_threshold: u.failure_threshold.or(settings.failure_threshold),
            inverted: u.inverted.or(settings.inverted),
            disabled: u.disabled.or(settings.disabled),
            enable_sni: u.enable_sni.or(settings.enable_sni),
            regions: u.regions.or(settings.regions),
            ..settings
        })
    }

    /// The settings as the API tells them, defaults filled in.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            ip_address: self.ip_address.map(|a| a.to_string()),
            port: Some(u32::from(self.port)),
            kind: Some(self.kind.as_str().to_owned()),
            resource_path: self.resource_path.clone(),
            fully_qualified_domain_name: self.fqdn.clone(),
            request_interval_s: Some(self.request_interval_s),
            failure_threshold: Some(self.failure_threshold),
            measure_latency: Some(self.measure_latency),
            inverted: Some(self.inverted),
            disabled: Some(self.disabled),
            enable_sni: Some(self.enable_sni),
            regions: (!self.regions.is_empty()).then(|| Regions { region: self.regions.clone() }),
            ..Settings::default()
        }
    }

    /// The Region that a checker of this check sits in; neighbours in the order of probing sit in different ones.
    pub(crate) fn region(&self, checker: usize) -> &str {
        if self.regions.is_empty() {
            return CHECKER_REGIONS[checker % CHECKER_REGIONS.len()];
        }
        &self.regions[checker % self.regions.len()]
    }

    /// The path to ask for, with its leading slash.
    pub(crate) fn path(&self) -> String {
        let path = self.resource_path.as_deref().unwrap_or_default();
        if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
    }

    /// The `Host` header: the name or else the address, with the port unless it is the usual one.
    pub(crate) fn host(&self) -> String {
        let host = self.fqdn.clone().or_else(|| self.ip_address.map(|a| a.to_string())).unwrap_or_default();
        if self.kind.port_default() == Some(self.port) { host } else { format!("{host}:{}", self.port) }
    }
}

fn invalid<T>(what: &str) -> Result<T, AwsError> {
    Err(AwsError::new(400, "InvalidInput", format!("Invalid parameter : {what}")))
}

fn kind(name: Option<&str>) -> Result<CheckType, AwsError> {
    match name {
        Some("HTTP") => Ok(CheckType::Http),
        Some("HTTPS") => Ok(CheckType::Https),
        Some("TCP") => Ok(CheckType::Tcp),
        Some(other) => invalid(&format!("The twin has no health checks of type {other}")),
        None => invalid("Type is required"),
    }
}

fn port(kind: CheckType, port: Option<u32>) -> Result<u16, AwsError> {
    let Some(port) = port else {
        return kind
            .port_default()
            .map_or_else(|| invalid("Port is required for health checks of type TCP"), Ok);
    };
    match u16::try_from(port) {
        Ok(port) if port > 0 => Ok(port),
        _ => invalid("Port must be between 1 and 65535"),
    }
}

fn target(settings: &Settings) -> Result<(Option<IpAddr>, Option<String>), AwsError> {
    let fqdn = text("FullyQualifiedDomainName", settings.fully_qualified_domain_name.as_deref())?;
    if let Some(problem) = fqdn.as_deref().and_then(|n| name::fault(&name::absolute(n))) {
        return invalid(&format!("FullyQualifiedDomainName: {problem}"));
    }
    let ip_address = match settings.ip_address.as_deref().filter(|a| !a.is_empty()).map(str::parse) {
        Some(Err(_)) => return invalid("IPAddress is not an IP address"),
        Some(Ok(address)) => Some(address),
        None => None,
    };
    if ip_address.is_none() && fqdn.is_none() {
        return invalid("IPAddress or FullyQualifiedDomainName is required");
    }
    Ok((ip_address, fqdn))
}

fn text(member: &str, value: Option<&str>) -> Result<Option<String>, AwsError> {
    match value {
        Some(v) if v.len() > TEXT_BYTES_MAX => invalid(&format!("{member} is longer than {TEXT_BYTES_MAX}")),
        Some("") | None => Ok(None),
        Some(v) => Ok(Some(v.to_owned())),
    }
}

fn regions(regions: Option<&Regions>) -> Result<Vec<String>, AwsError> {
    let Some(Regions { region }) = regions else { return Ok(Vec::new()) };
    if let Some(odd) = region.iter().find(|r| !CHECKER_REGIONS.contains(&r.as_str())) {
        return invalid(&format!("No health checkers are in Region {odd}"));
    }
    if region.len() < REGIONS_MIN {
        return invalid(&format!("At least {REGIONS_MIN} Regions are required"));
    }
    Ok(region.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn https() -> Settings {
        Settings {
            kind: Some("HTTPS".to_owned()),
            fully_qualified_domain_name: Some("abc.execute-api.us-east-1.amazonaws.com".to_owned()),
            resource_path: Some("health?key=1".to_owned()),
            ..Settings::default()
        }
    }

    #[test]
    fn defaults_are_those_of_route_53() {
        let config = Config::new(&https()).unwrap();
        assert_eq!((config.port, config.request_interval_s, config.failure_threshold), (443, 30, 3));
        assert!(config.enable_sni && !config.inverted && !config.disabled);
        assert_eq!(config.path(), "/health?key=1");
        assert_eq!(config.host(), "abc.execute-api.us-east-1.amazonaws.com");
        let odd_port = Config::new(&Settings { port: Some(8443), ..https() }).unwrap();
        assert_eq!(odd_port.host(), "abc.execute-api.us-east-1.amazonaws.com:8443");
    }

    #[test]
    fn settings_that_route_53_refuses_are_refused() {
        let tcp = Settings { kind: Some("TCP".to_owned()), resource_path: None, ..https() };
        let three =
            |regions: &[&str]| Some(Regions { region: regions.iter().map(|r| (*r).to_owned()).collect() });
        for bad in [
            Settings { kind: None, ..https() },
            Settings { kind: Some("CALCULATED".to_owned()), ..https() },
            Settings { fully_qualified_domain_name: None, ..https() },
            Settings { fully_qualified_domain_name: Some("a b".to_owned()), ..https() },
            Settings { ip_address: Some("somewhere".to_owned()), ..https() },
            Settings { port: Some(0), ..https() },
            Settings { port: Some(65_536), ..https() },
            Settings { request_interval_s: Some(20), ..https() },
            Settings { failure_threshold: Some(11), ..https() },
            Settings { failure_threshold: Some(0), ..https() },
            Settings { resource_path: Some("x".repeat(256)), ..https() },
            Settings { regions: three(&["us-east-1", "us-west-1"]), ..https() },
            Settings { regions: three(&["us-east-1", "us-west-1", "eu-north-1"]), ..https() },
            tcp.clone(),
            Settings { port: Some(8883), enable_sni: Some(true), ..tcp.clone() },
            Settings { port: Some(8883), resource_path: Some("/".to_owned()), ..tcp.clone() },
        ] {
            assert_eq!(Config::new(&bad).unwrap_err().code, "InvalidInput", "{bad:?}");
        }
        assert!(Config::new(&Settings { port: Some(8883), ..tcp }).is_ok());
    }

    #[test]
    fn an_update_changes_what_it_names_and_resets_what_it_says() {
        let config = Config::new(&https()).unwrap();
        let path = Settings { resource_path: Some("/broken".to_owned()), ..Settings::default() };
        let broken = config.updated(&path).unwrap();
        assert_eq!(broken, Config { resource_path: Some("/broken".to_owned()), ..config.clone() });
        let reset = ResetElements { name: vec!["ResourcePath".to_owned()] };
        let reset = Settings { reset_elements: Some(reset), ..Settings::default() };
        assert_eq!(broken.updated(&reset).unwrap().path(), "/");
        assert!(config.updated(&Settings { request_interval_s: Some(10), ..Settings::default() }).is_err());
    }

    #[test]
    fn checkers_are_spread_over_the_regions() {
        let config = Config::new(&https()).unwrap();
        let first_eight: Vec<&str> = (0..8).map(|i| config.region(i)).collect();
        assert_eq!(first_eight, CHECKER_REGIONS);
        assert_eq!(config.region(9), "us-west-1");
    }
}
