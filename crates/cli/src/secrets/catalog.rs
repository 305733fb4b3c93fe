//! The secrets of an installation: what each is for, where it comes from, what it must be, and for how long.

use chrono::TimeDelta;

use super::strength::{self, Weakness};
use crate::config::Config;

pub(crate) struct Kind {
    /// The variable's name, at the edge too.
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) origin: Origin,
    /// What `check` holds it to, in words.
    pub(crate) minimum: &'static str,
    pub(crate) check: fn(&str) -> Result<(), Weakness>,
    /// How long the value before counts beside a new one unless another time is asked for; `None` where only one can count.
    pub(crate) overlap_hours: Option<i64>,
    /// Older than that it should be rotated.
    pub(crate) age_days_max: i64,
    /// Whether the edge is handed it.
    pub(crate) is_for_edge: bool,
    pub(crate) need: fn(&Config) -> Need,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By mps; another one may be set.
    Generated,
    /// By somebody else: Supabase, a payment provider, the database's administrator.
    Given,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    /// The edge refuses half a provider, so it is not handed this.
    Unused,
}

pub(crate) const JWT_SECRET: &str = "SUPABASE_JWT_SECRET";
pub(crate) const SECRET_KEY: &str = "SUPABASE_SECRET_KEY";
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";
pub(crate) const DATABASE_PASSWORD: &str = "DATABASE_PASSWORD";

/// In the order in which they are listed.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: SECRET_KEY,
        purpose: "the edge's own calls to the database's gateway",
        origin: Origin::Given,
        minimum: "sb_secret_… or a token of the role service_role",
        check: strength::check_supabase_secret_key,
        overlap_hours: None,
        age_days_max: 365,
        is_for_edge: true,
        need: always,
    },
    Kind {
        name: JWT_SECRET,
        purpose: "signs access tokens where no keys are published (HS256)",
        origin: Origin::Generated,
        minimum: "32 bytes",
        check: strength::check_jwt_secret,
        // Longer than a token lives: the last one of the former secret is signed when Auth restarts.
        overlap_hours: Some(24),
        age_days_max: 365,
        is_for_edge: true,
        need: without_published_keys,
    },
    Kind {
        name: "OPS_TOKEN",
        purpose: "opens /ops and /metrics",
        origin: Origin::Generated,
        minimum: "32 characters of ASCII without spaces",
        check: strength::check_operator_token,
        overlap_hours: Some(1),
        age_days_max: 180,
        is_for_edge: true,
        need: always,
    },
    Kind {
        name: "METRICS_TOKEN",
        purpose: "opens /metrics",
        origin: Origin::Generated,
        minimum: "32 characters of ASCII without spaces",
        check: strength::check_operator_token,
        overlap_hours: Some(1),
        age_days_max: 180,
        is_for_edge: true,
        need: always,
    },
    Kind {
        name: DATABASE_URL,
        purpose: "where mps itself reaches the database; the edge never does",
        origin: Origin::Given,
        minimum: "postgresql://…, its password 16 characters",
        check: strength::check_database_url,
        overlap_hours: None,
        age_days_max: 365,
        is_for_edge: false,
        need: perhaps,
    },
    Kind {
        name: DATABASE_PASSWORD,
        purpose: "of the role that a PostgREST of one's own logs in as",
        origin: Origin::Generated,
        minimum: "16 characters of ASCII without spaces",
        check: strength::check_database_password,
        overlap_hours: None,
        age_days_max: 365,
        is_for_edge: false,
        need: perhaps,
    },
    Kind {
        name: "WECHAT_PRIVATE_KEY",
        purpose: "signs requests to WeChat Pay",
        origin: Origin::Given,
        minimum: "RSA of 2048 bits in PKCS#8",
        check: strength::check_rsa_private_key,
        overlap_hours: None,
        age_days_max: 1095,
        is_for_edge: true,
        need: with_wechat,
    },
    Kind {
        name: "WECHAT_API_V3_KEY",
        purpose: "opens WeChat Pay's notifications",
        origin: Origin::Given,
        minimum: "32 letters and digits",
        check: strength::check_api_v3_key,
        // WeChat repeats a notification for a day.
        overlap_hours: Some(48),
        age_days_max: 365,
        is_for_edge: true,
        need: with_wechat,
    },
    Kind {
        name: "ALIPAY_PRIVATE_KEY",
        purpose: "signs requests to Alipay",
        origin: Origin::Given,
        minimum: "RSA of 2048 bits in PKCS#8",
        check: strength::check_rsa_private_key,
        overlap_hours: None,
        age_days_max: 1095,
        is_for_edge: true,
        need: with_alipay,
    },
];

impl Kind {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The edge's variable for the value before.
    pub(crate) fn previous_name(&self) -> String {
        format!("{}_PREVIOUS", self.name)
    }

    pub(crate) fn overlap(&self) -> Option<TimeDelta> {
        self.overlap_hours.map(TimeDelta::hours)
    }

    pub(crate) fn is_generated(&self) -> bool {
        self.origin == Origin::Generated
    }
}

/// What the edge is handed apart from the configuration, and is nowhere in it.
pub(crate) fn names_for_edge() -> Vec<&'static str> {
    KINDS.iter().filter(|kind| kind.is_for_edge).map(|kind| kind.name).collect()
}

/// The edge's variables for values before, while they overlap.
#[cfg(test)]
pub(crate) fn former_names_for_edge() -> Vec<String> {
    let former = KINDS.iter().filter(|kind| kind.is_for_edge && kind.overlap_hours.is_some());
    former.map(Kind::previous_name).collect()
}

fn always(_: &Config) -> Need {
    Need::Required
}

fn perhaps(_: &Config) -> Need {
    Need::Optional
}

fn without_published_keys(config: &Config) -> Need {
    match config.supabase.jwks_url.as_deref() {
        Some("off") => Need::Required,
        _ => Need::Optional,
    }
}

fn with_wechat(config: &Config) -> Need {
    if config.providers.wechat.is_some() { Need::Required } else { Need::Unused }
}

fn with_alipay(config: &Config) -> Need {
    if config.providers.alipay.is_some() { Need::Required } else { Need::Unused }
}
