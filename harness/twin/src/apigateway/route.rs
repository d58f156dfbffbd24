//! A deployment's routes: which method of which resource a request is for. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::rest_api::{RestApi, bad_request};
use crate::error::AwsError;

/// All routes of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    resources: Vec<Node>,
    pub(crate) binary_types: Vec<String>,
}

#[derive(Debug, Clone)]
struct Node {
    id: String,
    path: String,
    segments: Vec<Segment>,
    methods: BTreeMap<String, Target>,
}

/// A segment of a resource's path. The order is that of preference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Fixed(String),
    /// `{name}`: one segment.
    Variable(String),
    /// `{name+}`: all the rest.
    Greedy(String),
}

/// What answers a method.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) function_arn: String,
    pub(crate) timeout: Duration,
    pub(crate) key_required: bool,
    /// What must be in the request: where (`querystring`, `header`, `path`) and its name.
    pub(crate) required: Vec<(String, String)>,
}

/// A request's way.
#[derive(Debug, Clone)]
pub(crate) struct Match<'a> {
    pub(crate) resource_id: &'a str,
    pub(crate) resource_path: &'a str,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) target: &'a Target,
}

impl Routes {
    /// The routes of an API as it is now.
    pub(crate) fn of(api: &RestApi) -> Result<Self, AwsError> {
        let mut resources = Vec::new();
        for resource in api.resources.values().filter(|r| !r.methods.is_empty()) {
            let mut methods = BTreeMap::new();
            for method in resource.methods.values() {
                let Some(integration) = &method.integration else {
                    return Err(bad_request("No integration defined for method"));
                };
                let validator = method.validator.as_ref().and_then(|id| api.validators.get(id));
                let checks = validator.is_some_and(|v| v.parameters);
                let required = method.parameters.iter().filter(|(_, required)| checks && **required);
                let target = Target {
                    function_arn: integration.function_arn.clone(),
                    timeout: Duration::from_millis(integration.timeout_ms),
                    key_required: method.key_required,
                    required: required.filter_map(|(name, _)| parameter(name)).collect(),
                };
                methods.insert(method.name.clone(), target);
            }
            let segments: Vec<Segment> = split(&resource.path).map(Segment::read).collect();
            resources.push(Node { id: resource.id.clone(), path: resource.path.clone(), segments, methods });
        }
        if resources.is_empty() {
            return Err(bad_request("The REST API doesn't contain any methods"));
        }
        resources.sort_by(|a, b| a.segments.cmp(&b.segments));
        Ok(Self { resources, binary_types: api.binary_types.clone() })
    }

    /// The way of a request: the first resource in the order of preference that has its path and method.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Match<'_>> {
        let parts: Vec<&str> = split(path).collect();
        self.resources.iter().find_map(|node| {
            let variables = node.fits(&parts)?;
            let target = node.methods.get(method).or_else(|| node.methods.get("ANY"))?;
            Some(Match { resource_id: &node.id, resource_path: &node.path, variables, target })
        })
    }
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// Where a parameter is and what it is called: `method.request.querystring.hashme`.
pub(crate) fn parameter(name: &str) -> Option<(String, String)> {
    let (place, name) = name.strip_prefix("method.request.")?.split_once('.')?;
    ["querystring", "header", "path"].contains(&place).then(|| (place.to_owned(), name.to_owned()))
}

impl Segment {
    fn read(part: &str) -> Self {
        match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            None => Self::Fixed(part.to_owned()),
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.to_owned()),
                None => Self::Variable(name.to_owned()),
            },
        }
    }
}

impl Node {
    /// The path's variables, if it is this resource's.
    fn fits(&self, parts: &[&str]) -> Option<BTreeMap<String, String>> {
        let mut variables = BTreeMap::new();
        let mut left = parts.iter();
        for segment in &self.segments {
            let part = *left.next()?;
            match segment {
                Segment::Fixed(fixed) if fixed == part => {}
                Segment::Fixed(_) => return None,
                Segment::Variable(name) => {
                    variables.insert(name.clone(), part.to_owned());
                }
                Segment::Greedy(name) => {
                    let rest: Vec<&str> = std::iter::once(part).chain(left.by_ref().copied()).collect();
                    variables.insert(name.clone(), rest.join("/"));
                }
            }
        }
        left.next().is_none().then_some(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(paths: &[&str]) -> Routes {
        let target = Target {
            function_arn: String::new(),
            timeout: Duration::ZERO,
            key_required: false,
            required: Vec::new(),
        };
        let mut resources: Vec<Node> = paths
            .iter()
            .map(|path| Node {
                id: String::new(),
                path: (*path).to_owned(),
                segments: split(path).map(Segment::read).collect(),
                methods: BTreeMap::from([("GET".to_owned(), target.clone())]),
            })
            .collect();
        resources.sort_by(|a, b| a.segments.cmp(&b.segments));
        Routes { resources, binary_types: Vec::new() }
    }

    #[test]
    fn a_fixed_path_comes_before_a_variable_and_that_before_the_rest() {
        let routes = routes(&["/{proxy+}", "/a/{id}", "/a/b", "/"]);
        for (path, found) in
            [("/a/b", "/a/b"), ("/a/c", "/a/{id}"), ("/a/c/d", "/{proxy+}"), ("/", "/"), ("/x", "/{proxy+}")]
        {
            assert_eq!(routes.find("GET", path).map(|m| m.resource_path), Some(found), "{path}");
        }
        assert_eq!(routes.find("GET", "/a/c/d").unwrap().variables["proxy"], "a/c/d");
        assert!(routes.find("POST", "/a/b").is_none());
        assert_eq!(parameter("method.request.querystring.a.b"), Some(("querystring".into(), "a.b".into())));
    }
}
