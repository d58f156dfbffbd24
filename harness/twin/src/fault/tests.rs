//! Faults from outside: set over the control API, seen on sockets, counted, removed, gone.

mod api;
mod broker;
mod connections;
mod control;
mod data;
mod dns;
mod lab;
mod rules;
#[path = "../mqtt/tests/site.rs"]
#[allow(dead_code, reason = "the broker's tests use all of it")]
mod site;
mod truth;
