//! checkov: what is unsafe or fragile in the objects. What we do otherwise is said where it is done, by an annotation with its reason, and each
//! of those is needed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Overlay, tell, write_objects};
use crate::lanes;
use crate::process;
use crate::setup::linters::CHECKOV;
use crate::test::tally::Tally;

const EXCEPTION: &str = "checkov.io/skip";

/// A check and the object that it fails for: `CKV_K8S_8 Deployment mps-jobs`.
type Failures = BTreeSet<String>;

/// The privileged container that is planted.
const PLANTED: &str = "CKV_K8S_16";

pub(super) fn check(overlays: &[Overlay], work: &Path) -> Result<Tally> {
    let files: Vec<&Path> = overlays.iter().map(|overlay| overlay.file.as_path()).collect();
    let objects: Vec<&Value> = overlays.iter().flat_map(|overlay| &overlay.installation.objects).collect();
    let (mut whole, mut bare) = (Tally::default(), Tally::default());
    // Most of its time it starts.
    lanes::beside(
        || {
            whole = tell("checkov", || Ok(failures(&files, objects.len())?.into_iter().collect()))?;
            Ok(())
        },
        || {
            let title = "checkov finds a privileged container and all that has an exception";
            bare = tell(title, || without_exceptions(&overlays[0], work))?;
            Ok(())
        },
    )?;
    whole += bare;
    Ok(whole)
}

/// What fails in one overlay without its exceptions, against what has one.
fn without_exceptions(overlay: &Overlay, work: &Path) -> Result<Vec<String>> {
    let mut objects = overlay.installation.objects.clone();
    let mut wanted: Failures = objects.iter().flat_map(exceptions).collect();
    for object in &mut objects {
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.retain(|key, _| !key.starts_with(EXCEPTION));
        }
    }
    if let Some(object) = objects.iter_mut().find(|object| object["kind"] == "Deployment") {
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        container["securityContext"]["privileged"] = true.into();
        wanted.insert(format!("{PLANTED} {}", name(object)));
    }
    let file = work.join("without-exceptions.yaml");
    write_objects(&file, &objects)?;
    let failed = failures(&[&file], objects.len())?;
    let missed = wanted.difference(&failed).map(|what| format!("{what}: it does not fail"));
    let other = failed.difference(&wanted).map(|what| format!("{what}: it has no exception"));
    Ok(missed.chain(other).collect())
}

/// `CKV_K8S_8=it answers nobody` under one of its annotations.
fn exceptions(object: &Value) -> Vec<String> {
    let annotations = object["metadata"]["annotations"].as_object().into_iter().flatten();
    let ours =
        annotations.filter(|(key, _)| key.starts_with(EXCEPTION)).filter_map(|(_, value)| value.as_str());
    ours.map(|text| match text.split_once('=') {
        Some((check, reason)) if !reason.trim().is_empty() => format!("{check} {}", name(object)),
        _ => format!("{text} without a reason, {}", name(object)),
    })
    .collect()
}

/// As checkov calls it.
fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("default").to_owned();
    let metadata = &object["metadata"];
    format!("{}.{}.{}", text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
}

fn failures(files: &[&Path], objects: usize) -> Result<Failures> {
    let mut command = Command::new(CHECKOV.program("checkov")?);
    command.args([
        "--framework",
        "kubernetes",
        "--skip-download",
        "--quiet",
        "--compact",
        "--output",
        "json",
    ]);
    // Its own settings are looked for where it runs.
    command.current_dir(files[0].parent().context("a file without a folder")?);
    for file in files {
        command.arg("--file").arg(file);
    }
    let finished = process::run(&mut command, false)?;
    let report = serde_json::from_str(&finished.output)
        .with_context(|| format!("checkov answered no JSON: {}", finished.extract()))?;
    Ok(read(&report, objects))
}

/// It ends well where it could read nothing, and then has no results in its report.
fn read(report: &Value, objects: usize) -> Failures {
    let failed = report["results"]["failed_checks"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut found: Failures =
        failed.map(|check| format!("{} {}", text(&check["check_id"]), text(&check["resource"]))).collect();
    let summary = report.get("summary").unwrap_or(report);
    let seen = summary["resource_count"].as_u64().unwrap_or(0);
    // Pods of Deployments are counted as well.
    if seen < objects as u64 || summary["parsing_errors"] != 0 {
        found.insert(format!("it has seen {seen} of {objects} objects"));
    }
    if summary["passed"].as_u64().unwrap_or(0) == 0 {
        found.insert("no check has passed".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{exceptions, read};

    #[test]
    fn a_report_of_nothing_is_no_success() {
        let nothing = json!({"passed": 0, "failed": 0, "parsing_errors": 0, "resource_count": 0});
        assert_eq!(read(&nothing, 3).len(), 2);
        let summary = json!({"passed": 9, "parsing_errors": 0, "resource_count": 4});
        assert!(read(&json!({"summary": summary, "results": {"failed_checks": []}}), 3).is_empty());
        assert_eq!(read(&json!({"summary": summary}), 5).len(), 1);
        let failed = json!([{"check_id": "CKV_K8S_8", "resource": "Deployment.n.a"}]);
        let found = read(&json!({"summary": summary, "results": {"failed_checks": failed}}), 3);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["CKV_K8S_8 Deployment.n.a"]);
    }

    #[test]
    fn an_exception_without_a_reason_is_none() {
        let of = |text: &str| {
            exceptions(&json!({"kind": "Deployment", "metadata":
                {"namespace": "n", "name": "a", "annotations": {"checkov.io/skip1": text, "other": "x"}}}))
        };
        assert_eq!(of("CKV_K8S_8=it answers nobody"), ["CKV_K8S_8 Deployment.n.a"]);
        for text in ["CKV_K8S_8", "CKV_K8S_8= "] {
            assert!(of(text)[0].contains("without a reason"), "{text}");
        }
    }
}
