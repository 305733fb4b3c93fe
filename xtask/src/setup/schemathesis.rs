//! schemathesis, which makes requests of every shape from openapi.json.

use std::path::PathBuf;

use anyhow::Result;

use crate::report::Outcome;
use crate::setup::python::Environment;

pub(crate) const ENVIRONMENT: Environment = Environment {
    name: "schemathesis",
    requirements: include_str!("schemathesis.txt"),
    takes: "about 1 minute",
};

/// The program in the cache, whether it is there yet or not.
pub(crate) fn program() -> Result<PathBuf> {
    ENVIRONMENT.program("schemathesis")
}

pub(crate) fn ensure() -> Result<Outcome> {
    ENVIRONMENT.ensure()
}
