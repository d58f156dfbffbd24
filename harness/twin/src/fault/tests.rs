//! Faults from outside: set over the control API, seen on sockets, counted, removed, gone.

mod api;
mod broker;
mod connections;
mod control;
mod data;
mod dns;
mod lab;
mod rules;
mod truth;

use crate::mqtt::tests::site;
