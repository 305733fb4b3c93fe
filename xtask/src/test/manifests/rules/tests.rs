//! Each rule, seen to find its fault in an overlay that was right before.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{Installation, RULES};
use crate::test::manifests::render::render;
use crate::test::manifests::variables_of;

fn production() -> Result<Installation> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Ok(Installation {
        objects: render(&root.join("deploy/kubernetes/overlays/production"))?,
        variables: variables_of(&root)?,
    })
}

/// What all rules find, each with its rule.
fn findings(installation: &Installation) -> String {
    let all = RULES
        .iter()
        .flat_map(|(rule, find)| find(installation).into_iter().map(move |what| format!("{rule}: {what}")));
    all.collect::<Vec<_>>().join("\n")
}

const EDGE: &str = "Deployment mps-edge";
const MAP: &str = "ConfigMap mps-edge";
const INGRESS: &str = "Ingress mps-ingress";
const JOBS: &str = "Deployment mps-jobs";
const SCALER: &str = "HorizontalPodAutoscaler mps-hpa";
const SERVICE: &str = "Service mps-edge";
const SPREAD: &str = "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels";
const WEB: &str = "Deployment mps-web";
const POLICY: &str = "NetworkPolicy mps-edge";

/// The object; the place in it, where `C` is the first container and `A` an annotation of the controller; what is written there, in JSON, or
/// `null` to take it out; and what is found.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    (EDGE, "C/securityContext/privileged", "true", "it is privileged"),
    ("Namespace mps-production", "/metadata/labels", "{}", "no namespace"),
    (MAP, "/kind", r#""Secret""#, "Secret mps-edge is in one"),
    (MAP, "/data/OPS_TOKNE", r#""x""#, "no OPS_TOKNE"),
    (JOBS, "C/env/0/valueFrom/secretKeyRef/key", r#""OPS""#, "no OPS"),
    (MAP, "/data/TRUSTED_ADDRESS_HEADER", r#""CF-Connecting-IP""#, "not X-Real-IP"),
    (MAP, "/data/TRUSTED_ADDRESS_HEADER", "null", "not X-Real-IP"),
    (MAP, "/data/SUPABASE_URL", r#""https://other.supabase.co""#, "supabaseUrl is"),
    ("ConfigMap mps-web", "/data/config.json", r#""{""#, "edgeUrl is null"),
    (EDGE, "/spec/template/spec/terminationGracePeriodSeconds", "35", "35 s for 5 s and 30 s"),
    (EDGE, "C/args", r#"["--stop-seconds=30"]"#, "for 0 s and 30 s"),
    (EDGE, "/spec/replicas", "3", "says it too"),
    (SCALER, "/spec/minReplicas", "1", "one replica"),
    (EDGE, "/spec/strategy/rollingUpdate/maxUnavailable", r#""25%""#, "maxUnavailable"),
    (WEB, "/spec/strategy", "null", "maxUnavailable"),
    ("NetworkPolicy nobody", "/spec/policyTypes", r#"["Ingress"]"#, "no policy is for all"),
    ("NetworkPolicy nobody", "/spec/ingress", "[{}]", "no policy is for all"),
    (POLICY, "/spec/ingress/0/from", "[]", "its ingress is for everybody"),
    (POLICY, "/spec/ingress/0/from/0", r#"{"namespaceSelector": {}}"#, "its ingress is for everybody"),
    (POLICY, "/spec/egress/0/ports", "null", "its egress is for everybody"),
    (SERVICE, "/spec/selector", r#"{"app": "mps"}"#, "Service mps-edge selects no pod"),
    (SERVICE, "/spec/ports/0/targetPort", r#""web""#, "no port \"web\""),
    (INGRESS, "/spec/rules/0/http/paths/0/backend/service/name", r#""mps""#, "there is no Service"),
    (INGRESS, "/spec/rules/0/http/paths/0/backend/service/port", r#"{"number": 80}"#, "there is no Service"),
    (SCALER, "/spec/scaleTargetRef/name", r#""mps-app""#, "there is no {"),
    (
        "PodDisruptionBudget mps-web",
        "/spec/selector/matchLabels",
        r#"{"app": "x"}"#,
        "mps-web selects no pod",
    ),
    ("NetworkPolicy mps-jobs", "/spec/podSelector/matchLabels", r#"{"app": "x"}"#, "mps-jobs selects no pod"),
    (POLICY, "/spec/ingress/0/from/2/podSelector/matchLabels", r#"{"app": "x"}"#, "is no pod here"),
    (POLICY, "/spec/ingress/0/ports/0/port", "3000", "the pod has no port 3000"),
    (EDGE, SPREAD, r#"{"app": "x"}"#, "spreads other pods"),
    (EDGE, "C/envFrom/0/configMapRef/name", r#""mps-config""#, "no ConfigMap \"mps-config\""),
    (WEB, "/spec/template/spec/volumes/0/configMap/name", r#""x""#, "no ConfigMap \"x\""),
    (EDGE, "C/envFrom/1/secretRef/name", r#""mps-secrets""#, "nobody makes the Secret"),
    (JOBS, "C/env/0/valueFrom/secretKeyRef/name", r#""x""#, "nobody makes the Secret"),
    (EDGE, "C/volumeMounts/0/name", r#""logs""#, "no volume \"logs\""),
    (EDGE, "C/livenessProbe/httpGet/port", "3000", "livenessProbe asks"),
    (INGRESS, "A/proxy-next-upstream", r#""error timeout non_idempotent""#, "proxy-next-upstream is"),
    (INGRESS, "A/upstream-hash-by", "null", "upstream-hash-by is null"),
    (
        "Ingress mps-ingress-webhooks",
        "A/connection-proxy-header",
        r#""keep-alive""#,
        "connection-proxy-header is",
    ),
    (INGRESS, "/spec/tls", "[]", "has no TLS"),
    (INGRESS, "/spec/tls/0/hosts/1", r#""app.mps.invalid""#, "is the base's"),
    (INGRESS, "/spec/rules/0/http/paths/0/path", r#""/""#, "shows the operator's endpoints"),
    (INGRESS, "/spec/rules/0/http/paths/0/path", r#""/ops/""#, "shows the operator's endpoints"),
    (INGRESS, "A/configuration-snippet", r#""x""#, "is not safe"),
    (INGRESS, "A/custom-http-errors", r#""503""#, "is not safe"),
    (
        "Ingress mps-ingress-web",
        "/metadata/annotations/cert-manager.io~1cluster-issuer",
        r#""x""#,
        "2 objects ask",
    ),
];

fn with_fault(object: &str, place: &str, value: &str) -> Result<Installation> {
    let mut installation = production()?;
    let value: Value = serde_json::from_str(value)?;
    let (kind, name) = object.split_once(' ').unwrap();
    let is_it = |it: &&mut Value| it["kind"] == *kind && it["metadata"]["name"] == *name;
    let object = installation.objects.iter_mut().find(is_it).unwrap();
    let place = match (place.strip_prefix('C'), place.strip_prefix("A/")) {
        (Some(rest), _) => format!("/spec/template/spec/containers/0{rest}"),
        (_, Some(rest)) => format!("/metadata/annotations/nginx.ingress.kubernetes.io~1{rest}"),
        _ => place.to_owned(),
    };
    let (parent, field) = place.rsplit_once('/').unwrap();
    let field = field.replace("~1", "/");
    match (field.parse::<usize>(), object.pointer_mut(parent).unwrap()) {
        (Ok(index), Value::Array(list)) => list[index] = value,
        (_, parent) if value.is_null() => {
            assert!(parent.as_object_mut().unwrap().remove(&field).is_some(), "{place} was not there");
        }
        (_, parent) => parent[field] = value,
    }
    Ok(installation)
}

#[test]
fn production_breaks_no_rule() -> Result<()> {
    assert_eq!(findings(&production()?), "");
    Ok(())
}

#[test]
fn each_fault_is_found() -> Result<()> {
    for (object, place, value, what) in FAULTS {
        let found = findings(&with_fault(object, place, value)?);
        assert!(found.contains(what), "{object} {place}: {found}");
    }
    Ok(())
}

#[test]
fn every_rule_has_a_fault_that_it_finds() -> Result<()> {
    let mut seen = Vec::new();
    for (object, place, value, _) in FAULTS {
        let installation = with_fault(object, place, value)?;
        seen.extend(RULES.iter().filter(|(_, find)| !find(&installation).is_empty()).map(|(rule, _)| *rule));
    }
    for (rule, _) in RULES {
        assert!(seen.contains(rule), "{rule}");
    }
    Ok(())
}

/// What the operations guide names.
#[test]
fn production_has_the_guides_replicas_and_probes() -> Result<()> {
    let production = production()?;
    let scaler = &production.find("HorizontalPodAutoscaler", &"mps-hpa".into()).unwrap()["spec"];
    assert_eq!((scaler["minReplicas"].as_u64(), scaler["maxReplicas"].as_u64()), (Some(3), Some(10)));
    let utilization = |index: usize| &scaler["metrics"][index]["resource"]["target"]["averageUtilization"];
    assert_eq!((utilization(0).as_u64(), utilization(1).as_u64()), (Some(70), Some(80)));
    let (_, edge) = production.containers().find(|(_, container)| container["name"] == "mps-edge").unwrap();
    let path = |probe: &str| edge[probe]["httpGet"]["path"].clone();
    assert_eq!(
        [path("startupProbe"), path("livenessProbe"), path("readinessProbe")],
        ["/health", "/health", "/ready"]
    );
    Ok(())
}

#[test]
fn what_no_cluster_has_run_says_so_in_its_first_line() -> Result<()> {
    let files = crate::files::walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kubernetes"))?;
    let written: Vec<_> =
        files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).collect();
    assert!(written.len() > 6);
    for path in written {
        assert!(
            std::fs::read_to_string(path)?.starts_with("# No cluster has run this"),
            "{}",
            path.display()
        );
    }
    Ok(())
}

#[test]
fn an_installation_with_nothing_in_it_is_found() {
    let nothing = Installation { objects: Vec::new(), variables: [].into() };
    let found = findings(&nothing);
    for what in [
        "no namespace",
        "there are none",
        "nothing leads to the edges",
        "0 objects ask",
        "no policy is for all",
    ] {
        assert!(found.contains(what), "{found}");
    }
}
